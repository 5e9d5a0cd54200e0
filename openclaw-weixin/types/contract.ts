// The channel is what the host asks for: compiled against the declarations of real hosts by `cargo xtask types`.
import type { ChannelPlugin, OpenClawPluginApi } from "openclaw/plugin-sdk/core";

import { createChannel } from "../npm/channel.js";
import entry from "../npm/index.js";

type Account = ReturnType<ReturnType<typeof createChannel>["config"]["resolveAccount"]>;

export const channel = (api: OpenClawPluginApi): ChannelPlugin<Account> => createChannel(api, undefined);
export const register: (api: OpenClawPluginApi) => void = entry.register;
