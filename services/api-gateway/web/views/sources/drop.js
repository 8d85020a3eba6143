// Files that are dropped on a view.

/**
 * Take the files that are dropped anywhere on `view`; meanwhile `target` has the class `over`.
 * @param {HTMLElement} view
 * @param {HTMLElement} target hidden: nothing is taken
 * @param {(files: FileList) => void} dropped
 * @returns {() => void} removes all listeners
 */
export function installDrop(view, target, dropped) {
  const ending = new AbortController();
  /** @param {DragEvent} event */
  const drag = (event) => {
    if (target.hidden || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // else the browser opens the file in the page's place
    target.classList.toggle("over", event.type === "dragenter" || event.type === "dragover");
    if (event.type === "drop") dropped(event.dataTransfer.files);
  };
  for (const name of /** @type {const} */ (["dragenter", "dragover", "dragleave", "drop"])) {
    view.addEventListener(name, drag, { signal: ending.signal });
  }
  return () => ending.abort();
}
