// `channels logout`.
import { plain, reasonOf } from "./plain.js";

/**
 * Ends a login: the account stops, and its token, cursor, context tokens and journal are removed.
 *
 * @param {object} deps
 * @param {() => Promise<object>} deps.acquire opens the message port
 * @param {(accountId: string) => boolean} [deps.isListed] whether it is among the accounts, whatever its file holds
 * @param {() => boolean} deps.isGateway whether this process is the gateway, which then knows
 * @param {() => Promise<void>} deps.announce makes a running gateway list its accounts anew
 */
export function createLogout({ acquire, isGateway, announce, isListed = () => false }) {
  return async function logoutAccount({ accountId, account, runtime }) {
    if (!account?.configured && !isListed(accountId)) {
      runtime?.log?.(`WeChat account ${plain(accountId)} is not logged in; nothing to remove.`);
      return { cleared: false, loggedOut: true };
    }
    const port = await acquire();
    try {
      await port.call("account.logout", { accountId });
    } finally {
      await port.release();
    }
    // Old hosts log out in the command's own process, and say nothing.
    if (!isGateway()) {
      runtime?.log?.(`Logged out: account ${plain(accountId)}.`);
      await announce().catch((error) => {
        runtime?.log?.(
          `The login is removed, but the gateway could not be told (${reasonOf(error)}); ` +
            "run `openclaw gateway restart` if it is running.",
        );
      });
    }
    return { cleared: true, loggedOut: true };
  };
}
