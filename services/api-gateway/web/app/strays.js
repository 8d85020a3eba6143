// Keeps the page when a file or a link is dropped beside its target: the browser would open it in the page's place, and
// the login would be lost.

export function installStrays() {
  for (const name of /** @type {const} */ (["dragover", "drop"])) document.addEventListener(name, refuse);
}

/** @param {DragEvent} event */
function refuse(event) {
  const { dataTransfer, defaultPrevented, target } = event;
  if (defaultPrevented || !dataTransfer || (target instanceof Element && target.closest("input:not([type='file']), textarea"))) return;
  event.preventDefault();
  dataTransfer.dropEffect = "none";
}
