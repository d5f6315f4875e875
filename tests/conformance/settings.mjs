// Where the local Slack is, and how a script tells the test what it saw: a JSON object per line.
import { createInterface } from 'node:readline';

export const { SLACK_API_URL, SLACK_BOT_TOKEN, SLACK_APP_TOKEN, SLACK_SIGNING_SECRET, TRANSPORT } =
  process.env;

export const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// The test closes our input when it is done.
export const untilDone = () =>
  new Promise((resolve) => {
    createInterface({ input: process.stdin }).on('close', resolve);
  });
