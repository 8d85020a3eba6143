// The files of an import before they are sent: how they are dropped, the name of their feed, and why they are refused.

const MAX_BYTES = 32 * 1024 * 1024;
const MAX_FILES = 100;
const LONGEST_NAME = 40;

/** A name for the feed, from that of a file, which no other feed has. @param {string} file @param {string[]} taken */
export function nameOf(file, taken) {
  const words = file.replace(/\.[a-z]+$/i, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+/, "");
  for (let turn = 1; ; turn += 1) {
    const suffix = turn === 1 ? "" : `-${turn}`;
    const name = words.slice(0, LONGEST_NAME - suffix.length).replace(/-+$/, "") + suffix;
    if (!taken.includes(name)) return words ? name : "";
  }
}

/** Why these files cannot be sent, and the fix; empty if they can. @param {File[]} files @returns {Promise<string>} */
export async function notTaken(files) {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (bytes > MAX_BYTES) return `the files have ${(bytes / 1024 / 1024).toFixed(1)} MiB, and the page takes at most 32 MiB: use bin/deltastream import, which has no such limit.`;
  if (files.length > MAX_FILES) return `these are ${files.length} files, and the page takes at most ${MAX_FILES}: use bin/deltastream import with their folder.`;
  for (const file of files) {
    const read = await file.slice(0, 1).arrayBuffer().catch(() => null);
    if (!read) return `${file.name} cannot be read: it is a folder, or it has changed since it was chosen. Choose the files again.`;
  }
  return "";
}

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
    event.preventDefault(); // otherwise the browser opens the file in the page's place
    target.classList.toggle("over", event.type === "dragenter" || event.type === "dragover");
    if (event.type === "drop") dropped(event.dataTransfer.files);
  };
  for (const name of /** @type {const} */ (["dragenter", "dragover", "dragleave", "drop"])) {
    view.addEventListener(name, drag, { signal: ending.signal });
  }
  return () => ending.abort();
}
