/**
 * What the launcher tells people, on stderr: plain lines at a terminal, with the journal's level
 * prefix when systemd collects them.
 */
export type SayLevel = 'error' | 'warning' | 'info';

/** Says one thing; several lines are allowed. */
export type Say = (level: SayLevel, text: string) => void;

/** syslog(3) priorities, as systemd reads them (sd-daemon(3)). */
const PRIORITY: Readonly<Record<SayLevel, string>> = { error: '<3>', warning: '<4>', info: '<6>' };

export function createSay(write: (text: string) => void, toJournal: boolean): Say {
  return (level, text) => {
    for (const line of text.split('\n')) {
      write(toJournal ? `${PRIORITY[level]}${line}\n` : `tako: ${line}\n`);
    }
  };
}
