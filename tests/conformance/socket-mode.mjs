// @slack/socket-mode alone: hears events, commands and interactions, acknowledges, reconnects.
import { SocketModeClient } from '@slack/socket-mode';
import { SLACK_API_URL, SLACK_APP_TOKEN, say, untilDone } from './settings.mjs';

const client = new SocketModeClient({
  appToken: SLACK_APP_TOKEN,
  clientPingTimeout: 500,
  clientOptions: { slackApiUrl: SLACK_API_URL },
});
client.on('slack_event', async ({ ack, type, body, retry_num, retry_reason }) => {
  if (type === 'slash_commands') {
    await ack({ text: `you said ${body.text}` });
  } else if (type === 'events_api') {
    // The first attempt at a lost event is left unacknowledged: Slack has to send it again.
    if (body.event.text === 'lose me' && !retry_num) return say({ lost: body.event_id });
    await ack();
    say({ heard: body.event.text, event_id: body.event_id, retry_num, retry_reason });
  } else {
    await ack();
    say({ interaction: body.type });
  }
});
client.on('connected', () => say({ connected: true }));

await client.start();
await untilDone();
await client.disconnect();
process.exit(0);
