-- openclaw-weixin/ref-messages.sqlite as @tencent-weixin/openclaw-weixin 2.4.9 made it (Node.js 24.21.0, node:sqlite):
-- its QuoteStore was opened on an empty folder and given two messages. user_version 0, journal_mode wal.
-- {state} stands for the state folder; white space of the statements is ours.
CREATE TABLE quote_messages ( account_id TEXT NOT NULL, conversation_id TEXT NOT NULL, message_id TEXT NOT NULL, direction TEXT NOT NULL, body TEXT NOT NULL DEFAULT '', media_path TEXT, media_mime TEXT, media_name TEXT, media_size INTEGER, created_at INTEGER NOT NULL, PRIMARY KEY (account_id, conversation_id, message_id) );
CREATE INDEX quote_messages_account_created ON quote_messages (account_id, created_at);
CREATE INDEX quote_messages_media_path ON quote_messages (media_path);
INSERT INTO quote_messages VALUES ('b0f5860fdecb-im-bot', 'o9cq8user@im.wechat', '7441535359615655688', 'inbound', '你好', NULL, NULL, NULL, NULL, 1795381771670);
INSERT INTO quote_messages VALUES ('b0f5860fdecb-im-bot', 'o9cq8user@im.wechat', '7497484083968569736', 'outbound', '[图片]', '{state}/media/inbound/openclaw-weixin-quotes/b0f5860fdecb-im-bot-00e09f9dda7c64d6/pic.png', 'image/png', 'a.png', 4, 1795381771670);
