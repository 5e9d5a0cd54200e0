// Who may talk to the agent. Decided before anything else is done with a message. weixin-channel's `access::decide` is the
// same rule, for programs without a host: fixtures/rules/access.json holds for both.
import { isUserId, normalizeUserId } from "./accounts.js";

/**
 * `*` in `allowFrom` is everybody, under every policy but `disabled`.
 *
 * @returns {{ verdict: "allowed" | "pair" | "refused", commands: boolean }} `commands`: may the sender use
 * commands? Being let in by a wildcard is not enough for that.
 */
export function decideAccess({ policy, senderId, ownerId, allowFrom, storeAllowFrom }) {
  // A sender whose id would be read as something else, `*` for one, is nobody: neither let in nor offered a code.
  if (!isUserId(senderId) || policy === "disabled") return { verdict: "refused", commands: false };
  // Approved pairings count under the policy "pairing" only: a list in the config is meant to be the whole list.
  const approved = policy === "pairing" ? storeAllowFrom.map(normalizeUserId) : [];
  if ([ownerId, ...allowFrom, ...approved].includes(senderId)) return { verdict: "allowed", commands: true };
  if (allowFrom.includes("*")) return { verdict: "allowed", commands: false };
  return { verdict: policy === "pairing" ? "pair" : "refused", commands: false };
}
