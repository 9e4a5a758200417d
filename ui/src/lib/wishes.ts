// What an operator may want, in words: what it does, and what it does not.
import { desk, type Question } from '../parts/Confirm.svelte';

export const pause = (bot: string) =>
  desk.ask({ title: `Pause ${bot}?`, text: 'It enters nothing more. What it holds is kept; its exits and stops work on.', wish: { kind: 'pause', target: bot }, word: 'Pause' });
export const resume = (bot: string) =>
  desk.ask({ title: `Resume ${bot}?`, text: 'It may enter again.', wish: { kind: 'resume', target: bot }, word: 'Resume' });
// Of the position that is shown: while the question stands the bot may have come to another one.
export const close = (position: string) =>
  desk.ask({ title: `Close ${position}?`, text: 'It is sold at the market, now. What is written: your wish to leave, then the exit order, then its fills.', wish: { kind: 'close', target: position }, word: 'Close the position', danger: true });
export const stopAll = () =>
  desk.ask({ title: 'Stop all entries?', text: 'No bot enters anything any more, on any account, at once. Every stop, target and exit works on; nothing is sold.', wish: { kind: 'stop-all', target: 'all' }, word: 'Stop all entries', danger: true });
export const resumeAll = () =>
  desk.ask({ title: 'Let them enter again?', text: 'The bots that “Stop all entries” paused may enter again, and no others.', wish: { kind: 'resume-all', target: 'all' }, word: 'Resume them' });
export const recover = (bot: string) =>
  desk.ask({ title: `Recover the account of ${bot}?`, text: 'Journal and exchange are compared again, at once. Nothing is entered meanwhile.', wish: { kind: 'recover', target: bot }, word: 'Recover' });

const RESOLVE: Record<string, { word: string; text: string }> = {
  adopt: { word: 'Adopt it', text: 'What the journal says is right, also what came late: go on managing it.' },
  flat: { word: 'It is flat', text: 'Nothing is held and nothing is live any more: what is left is written off.' },
  ignore: { word: 'Ignore it', text: 'The difference does not matter: the freeze is lifted, nothing else changes.' },
  filled: { word: 'It filled', text: 'The unfinished order really filled, with what you say here.' },
  nothing: { word: 'Nothing filled', text: 'The unfinished order filled nothing at all.' },
};

export interface Action { label: string; hint: string; question: Question | null; command: string }

// A finding's actions are commands of the command line; those that can be done from here become buttons.
export function action(command: string): Action {
  const [, kind = '', target = '', ...rest] = command.split(' ');
  const plain = { label: command, hint: 'On the machine that runs Surefoot', question: null, command };
  if (kind === 'resolve') {
    const flag = rest[0]?.replace('--', '') ?? '';
    const how = flag === 'filled' && rest[1] === '0' ? 'nothing' : flag;
    const words = RESOLVE[how];
    if (!words) return plain;
    return { label: words.word, hint: words.text, command, question: { title: `${words.word}: ${target}?`, text: words.text, wish: { kind, target, arguments: how === 'nothing' ? { how: 'filled', quantity: '0' } : { how: flag } }, word: words.word, danger: true, needs: how === 'filled' ? ['quantity', 'price'] : [] } };
  }
  const simple: Record<string, [string, string]> = { close: ['Close the position', 'Sell it at the market, now.'], resume: ['Resume', 'It may enter again.'], recover: ['Recover', 'Compare with the exchange again, at once.'], pause: ['Pause', 'It enters nothing more.'] };
  const words = simple[kind];
  if (!words || !target) return plain;
  return { label: words[0], hint: words[1], command, question: { title: `${words[0]}: ${target}?`, text: words[1], wish: { kind, target }, word: words[0], danger: kind === 'close' } };
}
