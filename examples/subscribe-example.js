/**
 * Subscribes to a product's live data with Node and prints the events.
 *
 *   npm install
 *   node subscribe-example.js
 *
 * SOCKET_URL (default http://localhost:8002), PRODUCT (default NIFTY),
 * TOKEN (an access token from POST /api/auth/login; not needed if the gateway has ANONYMOUS_READ=true).
 */
const { io } = require("socket.io-client");

const SOCKET_URL = process.env.SOCKET_URL || "http://localhost:8002";
const PRODUCT = process.env.PRODUCT || "NIFTY";
const TOKEN = process.env.TOKEN;

// Use WebSocket only. Polling needs sticky sessions if the gateway has several replicas.
const socket = io(SOCKET_URL, { transports: ["websocket"], auth: TOKEN ? { token: TOKEN } : {} });

socket.on("connect", () => console.log(`Connected to ${SOCKET_URL}`));

socket.on("connected", (data) => {
  console.log("connected:", data);
  socket.emit("subscribe", { type: "product", symbol: PRODUCT });
  socket.emit("subscribe", { type: "chain", symbol: PRODUCT });
  socket.emit("get_products");
});

socket.on("subscribed", (data) => console.log("subscribed:", data));
socket.on("unsubscribed", (data) => console.log("unsubscribed:", data));
socket.on("products", (data) => console.log("products:", data.products));

socket.on("underlying_update", (tick) => {
  console.log("underlying_update:", { product: tick.product, price: tick.price, timestamp: tick.timestamp, seq: tick.seq });
});

socket.on("chain_summary", (summary) => {
  console.log("chain_summary:", {
    product: summary.product,
    expiry: summary.expiry,
    spot_price: summary.spot_price,
    pcr_oi: summary.pcr_oi,
    atm_straddle_price: summary.atm_straddle_price,
    max_pain_strike: summary.max_pain_strike,
  });
});

socket.on("chain_update", (chain) => {
  console.log("chain_update:", {
    product: chain.product,
    expiry: chain.expiry,
    strikes: chain.strikes.length,
    max_pain_strike: chain.max_pain_strike,
    total_call_oi: chain.total_call_oi,
    total_put_oi: chain.total_put_oi,
    snapshot: chain.snapshot === true,
  });
});

// The gateway skipped the events from_seq to to_seq of a room and will not send them. The next event of each product
// and expiry is the newest one.
socket.on("resync", (data) => console.log("resync:", data));

socket.on("error", (error) => console.error("error:", error));
socket.on("connect_error", (error) => console.error("connect_error:", error.message, error.data || ""));
socket.on("disconnect", (reason) => console.log("disconnected:", reason));

process.on("SIGINT", () => {
  socket.emit("unsubscribe", { type: "product", symbol: PRODUCT });
  socket.emit("unsubscribe", { type: "chain", symbol: PRODUCT });
  socket.close();
  process.exit(0);
});
