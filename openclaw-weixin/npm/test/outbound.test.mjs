import assert from "node:assert/strict";
import { test } from "node:test";

import { chooseAccount, createReplySender } from "../outbound.js";
import { fakePort } from "./fakes.mjs";

test("the only account is used; several must be named; none says how to log in", () => {
  assert.equal(chooseAccount(undefined, ["a"]), "a");
  assert.equal(chooseAccount("default", ["a"]), "a");
  assert.equal(chooseAccount("b@im.bot", ["a", "b-im-bot"]), "b-im-bot");
  assert.throws(() => chooseAccount(undefined, ["a", "b"]), /--account: a, b/);
  assert.throws(() => chooseAccount(undefined, []), /channels login/);
  assert.throws(() => chooseAccount("c", ["a"]), /c is not logged in; use one of \[a\]/);
});

test("an attachment is refused aloud, after its text is sent", async () => {
  const port = fakePort();
  const sender = createReplySender({ port, accountId: "a", to: "u" });
  await assert.rejects(sender.deliver({ text: "see", mediaUrl: "/tmp/a.png" }), /attachment was not sent/);
  assert.equal(port.called("send.text").length, 1);
});
