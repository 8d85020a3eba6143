// Tells a view that live messages were lost, by a gap or a reconnection, so that it asks REST for its history again.

export class Continuity {
  #seen = "";

  /** Whether messages were lost since the last call. @param {Context} context @returns {boolean} */
  broken({ store, stream }) {
    const { state, since } = store.get("connection");
    if (state !== "live") return false;
    const present = `${since} ${stream.gaps}`;
    const broken = this.#seen !== "" && this.#seen !== present;
    this.#seen = present;
    return broken;
  }
}
