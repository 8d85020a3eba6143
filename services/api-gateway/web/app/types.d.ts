// The types of the messages and of the page's own objects, for `tsc --checkJs`. No browser loads this file.

import type { Clock } from "./clock.js";
import type { Formats } from "./formats.js";
import type { Store } from "./store.js";
import type { Stream } from "./stream.js";
import type { Ticks } from "./ticks.js";

/** A contract of a chain, as in the event `chain_update`. Prices are per share, volatilities annualised. */
export interface Row {
  strike: number;
  bid: number;
  ask: number;
  last: number;
  bid_size: number;
  ask_size: number;
  volume: number;
  open_interest: number;
  /** null: the source does not state the open interest of the day before. */
  open_interest_change: number | null;
  buildup: string | null;
  iv_bid: number | null;
  iv: number | null;
  iv_ask: number | null;
  iv_reason: string | null;
  delta: number | null;
  gamma: number | null;
  vega: number | null;
  theta: number | null;
  rho: number | null;
  /** The source's own numbers; absent if it publishes none. The difference is ours less the source's. */
  vendor_iv?: number | null;
  vendor_delta?: number | null;
  vendor_iv_difference?: number | null;
}

/** A chain: the event `chain_update`, and an element of `chains` in GET /api/data/chain/{product}. */
export interface Chain {
  mid: string;
  feed: string;
  product: string;
  replay: number;
  timestamp: string;
  processed_at: string;
  expiry: string;
  expiry_ts: number;
  exercise: string;
  /** Whose price settles the contracts; absent: that of the close. */
  settlement_session?: "open" | "close";
  multiplier?: number;
  spot_price: number;
  lot_size: number;
  oi_unit: string;
  /** Currency of the prices, and of what the contract pays; absent if the source states none. */
  price_unit?: string;
  settlement_currency?: string;
  years_to_expiry: number;
  forward: number | null;
  forward_reason: string | null;
  discount: number | null;
  discount_low: number | null;
  discount_high: number | null;
  pcr_oi: number | null;
  pcr_volume: number | null;
  pcr_oi_reason?: string | null;
  pcr_volume_reason?: string | null;
  atm_strike: number;
  atm_straddle_price: number | null;
  atm_iv: number | null;
  expected_move: number | null;
  max_pain_strike: number | null;
  max_pain_reason?: string | null;
  total_call_oi: number;
  total_put_oi: number;
  total_call_volume: number;
  total_put_volume: number;
  arbitrage: Record<string, number | null>;
  arbitrage_reason: string | null;
  strikes: number[];
  calls: Row[];
  puts: Row[];
  truth: { forward: number; discount: number; iv: number[] } | null;
}

/** The event `underlying_update`. */
export interface Tick {
  product: string;
  price: number;
  timestamp: string;
  processed_at: string;
  feed: string;
}

/** Replicas of a component of a feed; `desired` is null before the first decision. */
export interface Replicas {
  desired: number | null;
  ready: number;
}

/** A condition of a feed, as in the status of a DeltaStreamFeed. */
export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  last_transition: string;
}

/** A decision of the operator, in its own words. */
export interface Decision {
  time: string;
  component: "generator" | "enricher";
  from: number;
  to: number;
  reason: string;
  message: string;
}

/** A feed, as in the event `feeds_update` and GET /api/feeds. Times in s; numbers of an unknown load are null. */
export interface Feed {
  name: string;
  mode: string | null;
  source: "synthetic" | "replay" | "external" | "deribit" | "kite" | null;
  /** File, host or seed; absent from older operators. */
  origin?: string;
  products: string[];
  product_count: number;
  generator: Replicas;
  enricher: Replicas;
  lag: number | null;
  oldest_seconds: number | null;
  arrivals_per_second: number | null;
  service_seconds: number | null;
  load_reason: string | null;
  conditions: Condition[];
  decisions: Decision[];
  history: { at: number[]; lag: (number | null)[]; enrichers: number[] };
}

/** The operator's table: the event `feeds_update`, and GET /api/feeds. */
export interface FeedsTable {
  updated_at: string;
  authority: "local" | "cluster";
  namespace: string | null;
  feeds: Feed[];
  omitted: number;
}

/** What a generator of a live source reports. Times in ns since 1970, 0: none yet; counters since its start. */
export interface SourceReport {
  shard: number;
  source: string;
  connected: boolean;
  authorized: boolean;
  reason: string;
  message: string;
  since_ts: number;
  ts: number;
  newest_ts: number;
  frames: number;
  frame_bytes: number;
  ticks: number;
  repeated: number;
  refused: number;
  lost: number;
  gaps: number;
  reconnects: number;
}

/** GET /api/feeds/{feed}/source. Times in ns since 1970, 0: none yet. */
export interface FeedSource {
  feed: string;
  ts: number;
  appended: number;
  appended_ts: number;
  generators: SourceReport[];
}

/** A refused message, as in GET /api/feeds/{feed}/dead-letters. */
export interface DeadLetter {
  id: string;
  mid: string | null;
  reason: string;
  detail: string;
  deliveries: number;
  size_bytes: number;
  truncated: boolean;
  refused_ts: number;
}

/** GET /api/feeds/{feed}/replay. Times are RFC 3339 in UTC; `position` is an event time. */
export interface ReplayState {
  feed: string;
  paused: boolean;
  ended: boolean;
  speed_percent: number;
  position: string;
  first: string;
  last: string;
  pass_number: number;
  generators: number;
}

/** A kind of problem of imported files: how many, and the first place. */
export interface ImportProblem {
  refused: boolean;
  column: string;
  text: string;
  count: number;
  file: string;
  line: number;
}

/** GET /api/imports/{id}. */
export interface ImportState {
  id: string;
  feed: string;
  stage: "waiting" | "converting" | "checking" | "running" | "refused" | "cancelled";
  read: number;
  of: number;
  detail: string;
  report: {
    format: string;
    files: number;
    rows: number;
    snapshots: number;
    chains: number;
    contracts: number;
    products: string[];
    oi_units: string[];
    price_units: string[];
    first_ts: number | null;
    last_ts: number | null;
    problems: ImportProblem[];
  } | null;
}

/** GET /web/config.json. */
export interface Config {
  socket_url: string;
  anonymous_read: boolean;
  local: boolean;
}

/** What the URL says. Empty strings: not chosen. */
export interface Route {
  view: string;
  product: string;
  expiry: string;
  options: Record<string, string>;
}

/** The product and the expiry that are shown: those of the URL, or the defaults. Empty: not known yet. */
export interface Selection {
  product: string;
  expiry: string;
}

/** The state of the live connection; times in ms of performance.now(). */
export interface Connection {
  state: "connecting" | "live" | "waiting" | "refused";
  since: number;
  /** When the next attempt starts, in the state `waiting`. */
  retryAt: number;
  /** Why the last connection ended or was refused, in words. */
  reason: string;
  /** The gateway's code of the reason, such as `unauthorized`; empty if there is none. */
  code: string;
}

/** The answer to a request that the page keeps: see Resources. */
export interface Resource {
  status: "loading" | "ready" | "error";
  /** The decoded JSON, while `ready`; the previous answer while `loading` again. */
  data: any;
  error: Failure | null;
}

/** A failed request in words. */
export interface Failure {
  /** HTTP status; 0 if there was no answer. */
  status: number;
  code: string;
  detail: string;
  requestId: string;
  /** The command to use instead, if the answer has one; else empty. */
  command: string;
  /** When the page asks again, in ms of performance.now(); null if only after a change. */
  retryAt: number | null;
}

/** The logged-in account; null fields without a login. */
export interface Account {
  email: string;
  roles: string[];
}

/** The keys of the store that changed since the last call, `route` (URL or selection) and `clock` (each second). */
export type Change = ReadonlySet<string>;

/** What the shell gives to a view. */
export interface Context {
  store: Store;
  clock: Clock;
  formats: Formats;
  /** What the URL says. */
  route(): Route;
  /** What is shown. */
  selection(): Selection;
  /** Change parts of the URL; options merge, an empty value removes an option. */
  go(part: Partial<Route>): void;
  /**
   * The answer to a GET request, which the page sends at the first call. The store's key is the path. `maxAgeMs`:
   * ask again if the answer is older; default: never.
   */
  load(path: string, maxAgeMs?: number): Resource;
  /** Send JSON, or a form with files; resolves to the decoded answer, rejects with a Failure. */
  post(path: string, body: unknown): Promise<any>;
  /** Send a DELETE; as `post`. */
  remove(path: string): Promise<any>;
  /** What has arrived over the live connection. */
  stream: Stream;
  /** The newest ticks; the store has only the last one. */
  ticks: Ticks;
  /** What the gateway says about itself. */
  config(): Config;
  /** The value of a colour token, such as `calls`, for a canvas. */
  colour(token: string): string;
}

/** One view of the page: a folder below views/ whose view.js exports a View as default. */
export interface View {
  /** The rooms of the Socket.IO gateway that the view needs besides the product's own two, such as `feeds`. */
  rooms?(selection: Selection): string[];
  /** Draw into the empty element. */
  mount(element: HTMLElement, context: Context): void;
  /** At most ten times a second, in an animation frame. */
  update(change: Change): void;
  /** Remove listeners and timers; the shell removes the element. */
  unmount(): void;
}

/** A line of views.js. */
export interface ViewEntry {
  name: string;
  title: string;
  /** What the view cannot do without: the page says in its place what is missing. */
  needs: "chain" | "product" | "nothing";
  load(): Promise<{ default: View }>;
}

/** What the connection to the Socket.IO gateway needs. */
export interface LiveNeeds {
  /** Of the gateway: `ws://host:port`. */
  origin: string;
  /** A valid access token, or null without a login. */
  token: () => Promise<string | null>;
  /** Refresh the token that was refused. */
  renew: () => Promise<void>;
  store: Store;
  clock: Clock;
  stream: Stream;
  ticks: Ticks;
}

/** What finding out the shown product and expiry needs. */
export interface SubjectNeeds {
  store: Store;
  resources: import("./resources.js").Resources;
  clock: Clock;
  formats: Formats;
  route: () => Route;
  go: (part: Partial<Route>) => void;
}

/** What was computed from the quotes, less the generator's truth. */
export interface TruthErrors {
  /** Per share. */
  forward: number | null;
  discount: number | null;
  /** Contracts with a volatility. */
  contracts: number;
  /** Mean difference of volatilities, a year. */
  bias: number | null;
  /** Median of the absolute differences. */
  typical: number | null;
  /** Largest absolute difference. */
  largest: number | null;
  /** Contracts whose true volatility is in the quoted range. */
  within: number;
  /** Contracts with a quoted range. */
  ranged: number;
}

/** The operator's table as the page knows it. */
export interface KnownFeeds {
  table: FeedsTable | null;
  /** Null while the table or the server's time is unknown. */
  ageMs: number | null;
  /** Whether the table is too old: the operator has stopped writing it, or the page no longer receives it. */
  stale: boolean;
  /** Why the REST gateway gave no table, if the page asked. */
  error: Failure | null;
}

/** What all cells of a ladder have in common. */
export interface LadderLook {
  formats: Formats;
  /** Of the options' prices. */
  decimals: number;
  /** Of sizes, volumes and open interest. */
  unit: string;
  /** The value of a full bar. */
  scales: Record<"volume" | "open_interest" | "open_interest_change", number>;
}

/** A column of a ladder. */
export interface LadderColumn {
  id: string;
  label: string;
  meaning: string;
  /** A cell is written only if one of them has changed. */
  fields: (keyof Row)[];
  text: (row: Row, look: LadderLook) => string;
  tip: (row: Row, look: LadderLook) => string;
  /** Custom properties of the cell. */
  style?: (row: Row, look: LadderLook) => Record<string, string>;
}

/** A quoted volatility of the smile. `low` and `high`: of bid and ask; `reason`: why there is no volatility. */
export interface SmileQuote {
  strike: number;
  type: "call" | "put";
  iv: number | null;
  low: number | null;
  high: number | null;
  delta: number | null;
  reason: string | null;
}

/** A horizontal axis of the smile. */
export interface SmileAxis {
  label: string;
  /** Null: the strikes' own. */
  step: number | null;
  /** Of the value of a quote; ascending with the strike. */
  of: (quote: SmileQuote, chain: Chain) => number | null;
  /** The value of a price of the underlying. */
  at: (price: number, chain: Chain) => number | null;
  text: (value: number, formats: Formats) => string;
}

/** A cell of a ladder. `flashed`: the drawing that last made it flash. */
export interface LadderCell {
  element: HTMLElement;
  text: Text;
  column: LadderColumn;
  side: "calls" | "puts";
  flashed: number;
}

/** A row of a ladder. `shown`: what its cells show. */
export interface LadderLine {
  element: HTMLElement;
  cells: LadderCell[];
  shown: { calls: Row; puts: Row; look: LadderLook } | null;
}

/** How candles are drawn. */
export interface CandleLook {
  /** Product and window; another one makes another chart. */
  subject: string;
  exchange: import("./formats.js").Exchange;
  /** Of the product's prices. */
  decimals: number;
}

/** What the page says in place of a view. Notices with the same id are the same: only their text is written again. */
export interface PageNotice {
  id: string;
  title: string;
  text: string;
  actions?: { label: string; run: () => void }[];
  /** Made once, such as the form to log in. */
  extra?: () => Node;
}

/** The tokens of a session. Times are monotonic ms. */
export interface SessionTokens {
  access: string;
  refresh: string;
  renewAt: number;
  endsAt: number;
}

/** What the reader of the smile has chosen. */
export interface SmileOptions {
  show: string;
  x: string;
  side: "otm" | "calls" | "puts";
  strikes: string;
}

/** What a row of feeds draws in its last column. */
export interface FeedDrawing {
  element: HTMLElement | SVGElement;
  draw: (feed: Feed, now: number) => void;
}

/** The elements of a feed's row. */
export interface FeedLine {
  link: HTMLElement;
  mark: HTMLElement;
  word: HTMLElement;
  cells: HTMLElement[];
  drawing: FeedDrawing | null;
  row: HTMLElement;
}

export interface FeedColumn {
  id: string;
  label: string;
  meaning: string;
  text: (feed: Feed, formats: Formats) => string;
}

/** A table of feeds: `caption` names it, `label` its region, `element` is the region's class. */
export interface FeedListKind {
  caption: string;
  label: string;
  element: string;
  /** Heading of the states. */
  state: string;
  stateOf: (feed: Feed) => { level: import("./feedlist.js").Level; word: string; why: string };
  columns: FeedColumn[];
  /** A last column with a drawing of each feed. */
  drawn?: { id: string; label: string; meaning: string; make: () => FeedDrawing };
}

/**
 * A contract that has both volatilities, as decimals. `difference`: ours less the vendor's. `bid` and `ask`: our
 * volatilities of these prices, null if there is none.
 */
export interface VolatilityPair {
  expiry: string;
  strike: number;
  side: "call" | "put";
  ours: number;
  bid: number | null;
  ask: number | null;
  vendor: number;
  difference: number;
}

/** The types that many modules use. They need no import. */
declare global {
  type Context = import("./types.d.ts").Context;
  type Chain = import("./types.d.ts").Chain;
  type Row = import("./types.d.ts").Row;
  type Feed = import("./types.d.ts").Feed;
  type Failure = import("./types.d.ts").Failure;
  type Change = import("./types.d.ts").Change;
  type Resource = import("./types.d.ts").Resource;
  type Route = import("./types.d.ts").Route;
  type View = import("./types.d.ts").View;
  type ImportState = import("./types.d.ts").ImportState;
  type FeedSource = import("./types.d.ts").FeedSource;
}
