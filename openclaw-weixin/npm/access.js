// Who may talk to the agent. Decided before anything else is done with a message.

/**
 * @returns {{ verdict: "allowed" | "pairing" | "blocked", commands: boolean }} `commands`: may the sender use
 * commands? Being let in by a wildcard is not enough for that.
 */
export function decideAccess({ policy, senderId, ownerId, allowFrom, storeAllowFrom }) {
  if (!senderId || policy === "disabled") return { verdict: "blocked", commands: false };
  // Approved pairings count under the policy "pairing" only: a list in the config is meant to be the whole list.
  const known = [ownerId, ...allowFrom, ...(policy === "pairing" ? storeAllowFrom : [])];
  const named = known.includes(senderId);
  if (named) return { verdict: "allowed", commands: true };
  if (policy === "open" && allowFrom.includes("*")) return { verdict: "allowed", commands: false };
  return { verdict: policy === "pairing" ? "pairing" : "blocked", commands: false };
}
