// Sends a photo and reads the page that comes back.

const PATIENCE = 60_000; // milliseconds

/** Gives `{ status, page }`: status 0 without a reply, page null where the reply is no page. */
export function send(address, body, signal, progress = () => {}) {
  return new Promise((resolve) => {
    // fetch does not tell how far an upload is.
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.setRequestHeader("Accept", "text/html");
    request.responseType = "document";
    request.timeout = PATIENCE;
    request.upload.onprogress = ({ loaded, total }) => progress(loaded / total);
    request.onloadend = () => resolve({ status: request.status, page: request.response });
    signal.addEventListener("abort", () => request.abort());
    progress(0);
    request.send(body);
  });
}
