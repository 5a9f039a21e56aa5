"""What the page says, in English and in Spanish. The API speaks English to programs."""

import re
from collections.abc import Mapping
from typing import Any

from flask import request

ENGLISH: dict[str, Any] = {
    "language": "English",
    "title": "Which bill is this?",
    "lead": "Show a US bill to the camera, or give a photo of it, and hear its value.",
    "live": "Live camera",
    "stop": "Stop the camera",
    "take": "Take a photo",
    "choose": "Choose pictures",
    "drop": "or drop or paste them anywhere on this page",
    "send": "Read the bill",
    "samples": "No bill at hand? Try a drawing:",
    "sample": "drawing",
    "tell_by": "Also tell me by",
    "speech": "Speech",
    "vibration": "Vibration",
    "tones": "Tones",
    "code": "Pulses and tones: 1 for $1, 2 for $2, 3 for $5, 4 for $10, 5 for $20, 6 for $50, "
    "7 for $100, one long one for no answer.",
    "again": "Say it again",
    "answer": "Answer",
    "a_good_photo": "A good photo",
    "advice": [
        "Either side of the bill, any way up.",
        "Plenty of light, and the bill fills most of the picture.",
        "One bill at a time.",
    ],
    "busy": "Looking…",
    "busy_with": "Looking at {n} of {of}…",
    "sending": "Sending the picture",
    "pictures": "{n} pictures",
    "one_dollar": "1 dollar",
    "dollars": "{n} dollars",
    "other": "Not a US bill",
    "unsure": "Not sure",
    "unsure_said": "Not sure, try the other side",
    "unsure_advice": "Try the other side, more light, or come closer.",
    "likely": "How likely",
    "looked_at": "What the model looked at",
    "answered_by": "Answered by",
    "version": "version",
    "failed": "That did not work",
    "unreachable": "The front end cannot be reached. Check the connection and try again.",
    "not_ready": "The service is not ready. Try again in a moment.",
    "too_large": "The picture is too large. Send a smaller one.",
    "refused": "The server refused the request.",
    "no_connection": "No connection",
    "offline": "This page needs its server to read a photo, and cannot reach it. It starts again "
    "by itself once the connection is back.",
    "no_camera": "The camera cannot be used. Allow it in the browser's settings, or take a photo.",
    "needs_https": "The live camera works only where this page's address begins with https. "
    "Give a photo instead.",
    "camera_lost": "The camera stopped. Start it again, or give a photo.",
    "dark": "Too dark",
    "bright": "Too bright",
    "still": "Hold still",
    "closer": "Come closer",
    "back": "Move back",
    "none": "No bill in view",
    "turn": "Try the other side",
    "overloaded": "Busy, one moment",
    "not_counterfeits": "This page does not detect counterfeits.",
    "not_kept": "Your photos are not kept.",
    # In English a problem's own sentence is shown.
    "problems": {},
}

SPANISH: dict[str, Any] = {
    "language": "Español",
    "title": "¿Qué billete es?",
    "lead": "Muestre un billete de EE. UU. a la cámara, o dé una foto, y sepa cuánto vale.",
    "live": "Cámara en vivo",
    "stop": "Detener la cámara",
    "take": "Tomar una foto",
    "choose": "Elegir imágenes",
    "drop": "o arrástrelas o péguelas en cualquier lugar de esta página",
    "send": "Leer el billete",
    "samples": "¿No tiene un billete? Pruebe con un dibujo:",
    "sample": "dibujo",
    "tell_by": "Avisar también con",
    "speech": "Voz",
    "vibration": "Vibración",
    "tones": "Tonos",
    "code": "Pulsos y tonos: 1 para $1, 2 para $2, 3 para $5, 4 para $10, 5 para $20, 6 para $50, "
    "7 para $100, uno largo si no hay respuesta.",
    "again": "Repetir",
    "answer": "Respuesta",
    "a_good_photo": "Una buena foto",
    "advice": [
        "Cualquier lado del billete, en cualquier posición.",
        "Mucha luz, y que el billete llene casi toda la imagen.",
        "Un billete cada vez.",
    ],
    "busy": "Mirando…",
    "busy_with": "Mirando {n} de {of}…",
    "sending": "Enviando la imagen",
    "pictures": "{n} imágenes",
    "one_dollar": "1 dólar",
    "dollars": "{n} dólares",
    "other": "No es un billete de EE. UU.",
    "unsure": "No estoy seguro",
    "unsure_said": "No estoy seguro, pruebe el otro lado",
    "unsure_advice": "Pruebe el otro lado, con más luz o más de cerca.",
    "likely": "Probabilidad",
    "looked_at": "Lo que miró el modelo",
    "answered_by": "Respondió",
    "version": "versión",
    "failed": "No ha funcionado",
    "unreachable": "No se puede llegar al servidor. Revise la conexión e inténtelo de nuevo.",
    "not_ready": "El servicio no está listo. Inténtelo de nuevo en un momento.",
    "too_large": "La imagen es demasiado grande. Envíe una más pequeña.",
    "refused": "El servidor rechazó la petición.",
    "no_connection": "Sin conexión",
    "offline": "Esta página necesita su servidor para leer una foto, y no puede llegar a él. "
    "Empieza de nuevo por sí sola cuando vuelva la conexión.",
    "no_camera": "No se puede usar la cámara. Permítala en el navegador, o tome una foto.",
    "needs_https": "La cámara en vivo solo funciona si la dirección de esta página empieza por "
    "https. Dé una foto en su lugar.",
    "camera_lost": "La cámara se detuvo. Iníciela de nuevo, o dé una foto.",
    "dark": "Muy oscuro",
    "bright": "Demasiada luz",
    "still": "No se mueva",
    "closer": "Acérquese",
    "back": "Aléjese",
    "none": "No se ve ningún billete",
    "turn": "Pruebe el otro lado",
    "overloaded": "Ocupado, un momento",
    "not_counterfeits": "Esta página no detecta billetes falsos.",
    "not_kept": "Sus fotos no se guardan.",
    "problems": {
        400: "El archivo no es una imagen que se pueda leer: no lo es, o está dañada.",
        404: "Esa página, versión o etiqueta no existe.",
        408: "La imagen no llegó completa. Envíela de nuevo.",
        413: "La imagen es demasiado grande, o son demasiadas.",
        415: "Ese tipo de archivo no sirve. Envíe JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP o TIFF.",
        422: "No se envió ninguna imagen.",
        429: "Hay demasiadas fotos en este momento. Inténtelo de nuevo.",
        500: "Algo falló aquí; la culpa no es de su imagen.",
        502: "El modelo dio una respuesta que no se puede usar.",
        503: "El modelo no está listo. Inténtelo de nuevo en un momento.",
        504: "El modelo tardó demasiado. Inténtelo de nuevo.",
    },
}

LANGUAGES = {"en": ENGLISH, "es": SPANISH}

# The sentence about one file of several begins with its name.
_FILE = re.compile(r".+\.\w{1,5}: ")


def language() -> str:
    """The language of the current request's page: `?lang=`, or what the browser prefers."""
    asked = request.args.get("lang", "")
    return asked if asked in LANGUAGES else request.accept_languages.best_match(LANGUAGES, "en")


def sentence(problem: Mapping[str, Any]) -> str:
    """What went wrong, in the page's language. The name of a file stays before it."""
    phrases, detail = LANGUAGES[language()], str(problem["detail"])
    if "status" not in problem or not phrases["problems"]:
        return detail
    name = _FILE.match(detail)
    known = phrases["problems"].get(problem["status"], phrases["refused"])
    return f"{name[0] if name else ''}{known}"
