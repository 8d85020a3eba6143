// The views, in the order of their keys 1, 2, 3 … A new view is a folder below views/ and a line here.

/** @type {import("./types.d.ts").ViewEntry[]} */
export const VIEWS = [
  { name: "chain", title: "Chain", needs: "chain", load: () => import("../views/chain/view.js") },
  { name: "smile", title: "Smile", needs: "chain", load: () => import("../views/smile/view.js") },
  { name: "positioning", title: "Positioning", needs: "chain", load: () => import("../views/positioning/view.js") },
  { name: "price", title: "Price", needs: "product", load: () => import("../views/price/view.js") },
  { name: "feeds", title: "Feeds", needs: "nothing", load: () => import("../views/feeds/view.js") },
  { name: "quality", title: "Quality", needs: "nothing", load: () => import("../views/quality/view.js") },
  { name: "sources", title: "Sources", needs: "nothing", load: () => import("../views/sources/view.js") },
];
