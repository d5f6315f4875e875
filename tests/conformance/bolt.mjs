// @slack/bolt over either transport: a mention is answered with a stream, a command with a modal.
import bolt from '@slack/bolt';
import {
  SLACK_API_URL,
  SLACK_APP_TOKEN,
  SLACK_BOT_TOKEN,
  SLACK_SIGNING_SECRET,
  TRANSPORT,
  say,
  untilDone,
} from './settings.mjs';

const overSockets = TRANSPORT === 'socket';
const app = new bolt.App({
  token: SLACK_BOT_TOKEN,
  appToken: overSockets ? SLACK_APP_TOKEN : undefined,
  signingSecret: SLACK_SIGNING_SECRET,
  socketMode: overSockets,
  clientOptions: { slackApiUrl: SLACK_API_URL },
});
const plain = (text) => ({ type: 'plain_text', text });

app.event('app_mention', async ({ event, setStatus, sayStream }) => {
  await setStatus({ status: 'is thinking' });
  const streamer = sayStream({ buffer_size: 1 });
  await streamer.append({ markdown_text: 'you asked: ' });
  await streamer.append({ markdown_text: event.text.replace(/<@\w+> /, '') });
  await streamer.stop();
});

app.event('app_home_opened', async ({ event }) => say({ opened: event.tab }));
app.message(async ({ message }) => say({ message: message.text }));

app.command('/ask', async ({ ack, body, client }) => {
  await ack();
  await client.views.open({
    trigger_id: body.trigger_id,
    view: {
      type: 'modal',
      callback_id: 'ask',
      title: plain('Ask'),
      submit: plain('Send'),
      blocks: [
        {
          type: 'input',
          block_id: 'b',
          label: plain('Question'),
          dispatch_action: true,
          element: {
            type: 'plain_text_input',
            action_id: 'q',
            dispatch_action_config: { trigger_actions_on: ['on_character_entered'] },
          },
        },
        {
          type: 'input',
          block_id: 'r',
          label: plain('Repository'),
          element: { type: 'external_select', action_id: 'repo', min_query_length: 0 },
        },
      ],
    },
  });
});
app.action('q', async ({ ack, action }) => {
  await ack();
  say({ typed: action.value });
});
app.options('repo', async ({ ack, options }) => {
  await ack({ options: [{ text: plain('payments'), value: `${options.value}ments` }] });
});
app.view('ask', async ({ ack, view }) => {
  if (view.state.values.b.q.value.length < 4) {
    await ack({ response_action: 'errors', errors: { b: 'too short' } });
  } else {
    await ack();
  }
});

const server = await app.start({ port: 0, host: '127.0.0.1' });
say({ ready: true, port: overSockets ? 0 : server.address().port });
await untilDone();
await app.stop();
process.exit(0);
