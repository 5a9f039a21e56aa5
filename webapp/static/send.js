// Sends a photo and reads the page in the reply.

const PATIENCE = 60_000; // milliseconds

/** Resolves to `{ status, page }`: status 0 without a reply, page null if the reply is no page. */
export function send(address, body, signal, progress = () => {}) {
  return new Promise((resolve) => {
    // fetch does not report the progress of an upload.
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
