"""The texts of the page, in English and in Spanish. Programs get errors in English."""

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
    "7 for $100, one long one for no answer. Several bills: first as many quick ones as there are "
    "bills, then each of them.",
    "again": "Say it again",
    "answer": "Answer",
    "a_good_photo": "A good photo",
    "advice": [
        "Either side of the bill, any way up.",
        "Plenty of light, and the bill fills most of the picture.",
    ],
    "one_at_a_time": "One bill at a time.",
    "side_by_side": "One bill, or several side by side, none over another.",
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
    "several_bills": "Several bills",
    "bills_said": "{n} bills: {values}; {dollars}",
    "several_unsure": "Several bills, I am not sure of one of them",
    "several_advice": "Lay the bills side by side, so that none covers another.",
    "bills_seen": "Bills on the photo",
    "counted_by": "counted by",
    "not_counted": "Several bills on one photo cannot be counted at this moment.",
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
    "needs_https": "The live camera works if the address begins with https. Give a photo instead.",
    "camera_lost": "The camera stopped. Start it again, or give a photo.",
    "dark": "Too dark",
    "bright": "Too bright",
    "still": "Hold still",
    "closer": "Come closer",
    "back": "Move back",
    "none": "No bill in view",
    "turn": "Try the other side",
    "overloaded": "Busy, one moment",
    "adding": "Add up what the camera reads",
    "together": "Together {dollars}",
    "not_added": "Not added: first take the last bill out of the picture.",
    "next": "Next bill",
    "counted": "Counted",
    "undo": "Undo",
    "from_start": "Start again",
    "shortcuts": "Keys: Backspace to undo, Delete to start again.",
    "taken_back": "Taken back: {dollars}",
    "restored": "Restored",
    "started_again": "Started again",
    "not_counterfeits": "This page does not detect counterfeits.",
    "not_kept": "Your photos are not kept.",
    "feedback": {
        "not_kept": "Your photos are not kept, except one that you send in yourself.",
        "wrong": "That was wrong",
        "say": "Say what it is",
        "was": "What was it?",
        "pick": "Choose one",
        "unlisted": "Another US bill",
        "purpose": "The photo as you see it here is kept, and with it the time, your answer and "
        "that of the model. Its date, place and file name are taken off, and neither your name "
        "nor your address is kept. The people who run this page look at it and teach the model "
        "with it. Do not send it if a person or anything private can be seen. You can delete it "
        "again at any time.",
        "consent": "I agree that this photo is kept for at most {days} days.",
        "give": "Send this photo in",
        "thanks": "Thank you",
        "kept": "The photo is kept as “{was}” until {until}.",
        "keep_link": "The photo's own page: keep this link to delete it another day",
        "delete": "Delete the photo",
        "deleted": "Deleted",
        "deleted_said": "The photo and all that was kept with it are deleted. A model that has "
        "learnt from it already keeps what it learnt.",
    },
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
    "7 para $100, uno largo si no hay respuesta. Varios billetes: primero tantos rápidos como "
    "billetes hay, luego cada uno.",
    "again": "Repetir",
    "answer": "Respuesta",
    "a_good_photo": "Una buena foto",
    "advice": [
        "Cualquier lado del billete, en cualquier posición.",
        "Mucha luz, y que el billete llene casi toda la imagen.",
    ],
    "one_at_a_time": "Un billete cada vez.",
    "side_by_side": "Un billete, o varios uno al lado del otro, ninguno encima de otro.",
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
    "several_bills": "Varios billetes",
    "bills_said": "{n} billetes: {values}; {dollars}",
    "several_unsure": "Varios billetes, y no estoy seguro de uno de ellos",
    "several_advice": "Ponga los billetes uno al lado del otro, sin que ninguno tape a otro.",
    "bills_seen": "Billetes en la foto",
    "counted_by": "contó",
    "not_counted": "En este momento no se pueden contar varios billetes en una foto.",
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
    "needs_https": "La cámara en vivo funciona si la dirección empieza por https. Dé una foto.",
    "camera_lost": "La cámara se detuvo. Iníciela de nuevo, o dé una foto.",
    "dark": "Muy oscuro",
    "bright": "Demasiada luz",
    "still": "No se mueva",
    "closer": "Acérquese",
    "back": "Aléjese",
    "none": "No se ve ningún billete",
    "turn": "Pruebe el otro lado",
    "overloaded": "Ocupado, un momento",
    "adding": "Sumar lo que lee la cámara",
    "together": "En total, {dollars}",
    "not_added": "No se sumó: primero saque de la imagen el último billete.",
    "next": "Siguiente billete",
    "counted": "Contados",
    "undo": "Deshacer",
    "from_start": "Empezar de nuevo",
    "shortcuts": "Teclas: Retroceso deshace, Suprimir empieza de nuevo.",
    "taken_back": "Descontado: {dollars}",
    "restored": "Restaurado",
    "started_again": "Desde cero",
    "not_counterfeits": "Esta página no detecta billetes falsos.",
    "not_kept": "Sus fotos no se guardan.",
    "feedback": {
        "not_kept": "Sus fotos no se guardan, salvo la que usted mismo envíe.",
        "wrong": "Eso no es correcto",
        "say": "Diga qué es",
        "was": "¿Qué era?",
        "pick": "Elija una opción",
        "unlisted": "Otro billete de EE. UU.",
        "purpose": "Se guarda la foto tal como la ve aquí, y con ella la hora, su respuesta y la "
        "del modelo. Se le quitan la fecha, el lugar y el nombre del archivo, y no se guardan ni "
        "su nombre ni su dirección. Quienes llevan esta página la miran y enseñan con ella al "
        "modelo. No la envíe si se ve a una persona o algo privado. Puede borrarla en cualquier "
        "momento.",
        "consent": "Acepto que esta foto se guarde como máximo {days} días.",
        "give": "Enviar esta foto",
        "thanks": "Gracias",
        "kept": "La foto se guarda como «{was}» hasta el {until}.",
        "keep_link": "Página de la foto: guarde este enlace para borrarla otro día",
        "delete": "Borrar la foto",
        "deleted": "Borrada",
        "deleted_said": "La foto y todo lo que se guardó con ella están borrados. Un modelo que ya "
        "aprendió de ella conserva lo que aprendió.",
    },
    "problems": {  # Each is true for all causes of its status.
        400: "El archivo no es una imagen, o está dañado, o la petición no es válida.",
        403: "No se guardó nada: falta su consentimiento, o lo envió la página de otro sitio.",
        404: "Esa página, foto, versión o etiqueta no existe.",
        408: "La imagen no llegó completa. Envíela de nuevo.",
        413: "La imagen o la petición es demasiado grande, o son demasiadas imágenes.",
        415: "Ese tipo de imagen no sirve. Envíe JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP o TIFF.",
        422: "No se envió ninguna imagen, o falta decir qué era.",
        429: "Hay demasiadas fotos en este momento, o usted ya envió muchas. Inténtelo más tarde.",
        500: "Algo falló aquí; la culpa no es de su imagen.",
        502: "El modelo dio una respuesta que no se puede usar.",
        503: "El servicio no está listo o está ocupado. Inténtelo de nuevo en un momento.",
        504: "La respuesta tardó demasiado. Inténtelo de nuevo, o con una imagen más pequeña.",
        507: "Por ahora no se pueden guardar más fotos. Esta no se guardó.",
    },
}

LANGUAGES = {"en": ENGLISH, "es": SPANISH}


def language() -> str:
    """Return the language of the current request's page: `?lang=`, or the browser's preference."""
    asked = request.args.get("lang", "")
    # `best_match` would prefer a later `es` to an earlier `en-US`.
    tags = [tag.partition("-")[0].lower() for tag, quality in request.accept_languages if quality]
    return next((known for known in [asked, *tags] if known in LANGUAGES), "en")


def sentence(problem: Mapping[str, Any]) -> str:
    """Return a problem's text in the page's language; in English, the problem's own sentence."""
    phrases, detail = LANGUAGES[language()], str(problem["detail"])
    if "status" not in problem or not phrases["problems"]:
        return detail
    return str(phrases["problems"].get(problem["status"], phrases["refused"]))
