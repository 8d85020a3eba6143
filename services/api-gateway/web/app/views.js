// The views, in the order of their keys 1, 2, 3 … A new view is a folder below views/ and a line here.

/** @type {import("./types.d.ts").ViewEntry[]} */
export const VIEWS = [
  { name: "chain", title: "Chain", needs: "chain", load: () => import("../views/chain/view.js") },
];
