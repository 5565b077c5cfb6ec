import { printableLine } from "../../jwk/printable";

/** Longer text is cut: a client may choose part of an error's text. In characters. */
export const MAX_LINE_LENGTH = 1000;

/** Text for Kong's error log: one line, not a long one, and without characters that a terminal acts on. */
export function logLine(text: string): string {
	return printableLine(text.slice(0, MAX_LINE_LENGTH));
}
