// Decides which product and expiry are shown: those of the URL, else the last product and its nearest expiry.

/**
 * @param {Route} route
 * @param {string[]} products the known products
 * @param {string} remembered the product that this browser showed last; may be empty
 * @param {Chain[]} chains those that have arrived
 * @returns {import("./types.d.ts").Selection}
 */
export function select(route, products, remembered, chains) {
  const usual = products.includes(remembered) ? remembered : (products[0] ?? "");
  const product = route.product || usual;
  return { product, expiry: route.expiry || nearest(chains.filter((chain) => chain.product === product)) };
}

/** @param {Chain[]} chains of one product @returns {string} the first expiry that has not passed; empty if unknown */
function nearest(chains) {
  const open = chains.filter((chain) => chain.years_to_expiry > 0);
  const [first = ""] = (open.length ? open : chains).map((chain) => chain.expiry).sort();
  return first;
}
