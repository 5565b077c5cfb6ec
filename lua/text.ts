/** Texts in Lua, which are bytes. */

/** Where the character behind one has its first byte; undefined when its bytes are not UTF-8 (RFC 3629 §4). */
function afterCharacter(text: string, at: number): number | undefined {
	const first = string.byte(text, at);
	if (first < 0x80) return at + 1;
	const second = string.byte(text, at + 1) ?? 0;
	const [length, least, most] =
		first >= 0xc2 && first <= 0xdf
			? [2, 0x80, 0xbf]
			: first >= 0xe0 && first <= 0xef
				? [3, first === 0xe0 ? 0xa0 : 0x80, first === 0xed ? 0x9f : 0xbf]
				: first >= 0xf0 && first <= 0xf4
					? [4, first === 0xf0 ? 0x90 : 0x80, first === 0xf4 ? 0x8f : 0xbf]
					: [0, 0, 0];
	if (length === 0 || second < least || second > most) return undefined;
	for (let next = at + 2; next < at + length; next += 1) {
		const byte = string.byte(text, next) ?? 0;
		if (byte < 0x80 || byte > 0xbf) return undefined;
	}
	return at + length;
}

/** Whether a text is ASCII, as most are. */
function isAscii(text: string): boolean {
	return string.find(text, "[^%z\x01-\x7f]") === undefined;
}

/** Whether a text's bytes are UTF-8. */
export function isUtf8(text: string): boolean {
	if (isAscii(text)) return true;
	let at: number | undefined = 1;
	while (at !== undefined && at <= text.length) at = afterCharacter(text, at);
	return at !== undefined;
}

/** See `Platform.isWellFormed`: U+FFFD is what others made of bytes that are no UTF-8. */
export function isWellFormed(text: string): boolean {
	return isUtf8(text) && string.find(text, "\uFFFD", 1, true) === undefined;
}

/**
 * Lua patterns of UTF-8 that cannot be seen: C1 controls, spaces, and what changes the order of text. Bytes are in
 * hexadecimal, as text here has characters only.
 */
const INVISIBLE = [
	"[%z\x01-\x20\x7f]",
	...[
		"c2[80-a0ad]",
		"cd8f",
		"d89c",
		"e185[9fa0]",
		"e19a80",
		"e19e[b4b5]",
		"e1a0[8b-8f]",
		"e280[80-8fa8-af]",
		"e281[9f-af]",
		"e38080",
		"e385a4",
		"ee[80-bf]",
		"ef[80-a3]",
		"efb8[80-8f]",
		"efbbbf",
		"efbea0",
		"efbf[b0-bf]",
		"f09bb2[a0-a3]",
		"f09d85[b3-ba]",
		"[f3f4][80-bf]",
	].map((pattern) => inBytes(pattern)),
];

function inBytes(this: void, pattern: string): string {
	const [bytes] = string.gsub(pattern, "%x%x", (byte) =>
		string.char(Number(`0x${byte}`)),
	);
	return bytes;
}

/** See `Platform.isVisible`. */
export function isVisible(text: string): boolean {
	for (const pattern of INVISIBLE)
		if (string.find(text, pattern) !== undefined) return false;
	return true;
}

/** Text as it may go to a log: what cannot be seen is escaped as bytes, but for spaces. */
export function printable(text: string): string {
	let escaped = text;
	for (const pattern of INVISIBLE)
		[escaped] = string.gsub(escaped, pattern, escapeBytes);
	return escaped;
}

function escapeBytes(this: void, found: string): string {
	if (found === " ") return found;
	let escaped = "";
	for (let at = 1; at <= found.length; at += 1)
		escaped += string.format("\\x%02x", string.byte(found, at));
	return escaped;
}

/**
 * See `Platform.fold`. Names that are not ASCII are never copied: Lua cannot normalize them, so that nobody knows
 * which claim a reader takes them for.
 */
export function fold(name: string): string | undefined {
	return string.find(name, "[^\x20-\x7e]") === undefined
		? string.upper(name)
		: undefined;
}
