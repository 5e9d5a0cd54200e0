// What an agent reads about this channel, next to the host's own words about its message tool.
import { CHANNEL_ID } from "./accounts.js";

/**
 * Short: they are part of every prompt.
 *
 * @param {{ accountId?: string | null }} context
 * @returns {string[]}
 */
export function messageToolHints({ accountId }) {
  return [
    "WeChat: `media` sends a file or picture: an https URL, or the absolute path of a file in your workspace; voice arrives as a file.",
    "WeChat lets a bot send about 10 messages per message of its user, within 24 hours: few and whole ones.",
    `WeChat jobs for later need delivery: { mode: "announce", channel: "${CHANNEL_ID}", to: the user's id (…@im.wechat)${accountId ? `, accountId: "${accountId}"` : ""} }.`,
  ];
}
