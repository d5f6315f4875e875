// Calls of @slack/web-api, its ChatStreamer and its paging, against the local Slack.
import { WebClient, ErrorCode } from '@slack/web-api';
import { SLACK_API_URL, SLACK_BOT_TOKEN, say } from './settings.mjs';

const [channel, root, user, team] = process.argv.slice(2);
const client = new WebClient(SLACK_BOT_TOKEN, { slackApiUrl: SLACK_API_URL });

const identity = await client.auth.test();
say({ auth: identity.user_id, scopes: identity.response_metadata.scopes });

const posted = await client.chat.postMessage({
  channel,
  thread_ts: root,
  text: 'a & b',
  blocks: [{ type: 'section', text: { type: 'mrkdwn', text: '*bold*' } }],
  unfurl_links: false,
  unfurl_media: false,
});
await client.chat.update({ channel, ts: posted.ts, text: 'changed' });
await client.reactions.add({ channel, timestamp: root, name: 'eyes' });
await client.assistant.threads.setStatus({
  channel_id: channel,
  thread_ts: root,
  status: 'is thinking',
  loading_messages: ['Reading', 'Looking'],
});

const streamer = client.chatStream({
  channel,
  thread_ts: root,
  recipient_user_id: user,
  recipient_team_id: team,
  buffer_size: 8,
});
await streamer.append({ markdown_text: '**hello' });
await streamer.append({ markdown_text: ' wo' });
await streamer.append({
  chunks: [{ type: 'task_update', id: '1', title: 'Reading', status: 'complete' }],
});
const stopped = await streamer.stop({ markdown_text: 'rld**', blocks: [{ type: 'divider' }] });
say({ streamed: stopped.message.text, state: stopped.message.streaming_state });

const pages = [];
for await (const page of client.paginate('conversations.replies', { channel, ts: root, limit: 2 })) {
  pages.push(page.messages.map((message) => message.text));
}
say({ pages });

try {
  await client.chat.postMessage({ channel: 'C0NOWHERE', text: 't' });
} catch (error) {
  say({ code: error.code === ErrorCode.PlatformError, error: error.data.error });
}
await client.views.publish({ user_id: user, view: { type: 'home', blocks: [{ type: 'divider' }] } });

// The limit of one method is reached; the client waits as told and tries again by itself.
const started = Date.now();
await client.users.info({ user });
say({ waited: Date.now() - started });
