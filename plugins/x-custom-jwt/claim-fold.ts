/** Code points that some readers ignore: Unicode's Default_Ignorable_Code_Point, lone surrogates, and the dot that `İ` leaves. */
const IGNORED: readonly (readonly [first: number, last: number])[] = [
	[0xad, 0xad],
	[0x307, 0x307],
	[0x34f, 0x34f],
	[0x61c, 0x61c],
	[0x115f, 0x1160],
	[0x17b4, 0x17b5],
	[0x180b, 0x180f],
	[0x200b, 0x200f],
	[0x202a, 0x202e],
	[0x2060, 0x206f],
	[0x3164, 0x3164],
	[0xd800, 0xdfff],
	[0xfe00, 0xfe0f],
	[0xfeff, 0xfeff],
	[0xffa0, 0xffa0],
	[0xfff0, 0xfff8],
	[0x1bca0, 0x1bca3],
	[0x1d173, 0x1d17a],
	[0xe0000, 0xe0fff],
];

/**
 * Folds a name, so that two names have equal folds when any reader in use takes one for the other: Go's
 * `encoding/json` (simple case folding, `ſ` is `s`), .NET (`OrdinalIgnoreCase`, and cultures, which ignore
 * invisible characters; Turkish `ı` and `İ` are `i`), readers that normalize, and those that know ASCII only.
 *
 * @returns undefined for a name with a control character: readers in C end it at U+0000, and others ignore it
 * @example fold("iſſ") // "ISS"
 */
export function fold(name: string): string | undefined {
	let isAscii = true;
	for (let index = 0; index < name.length; index += 1) {
		const unit = name.charCodeAt(index);
		if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) return undefined;
		if (unit > 0x7f) isAscii = false;
	}
	if (isAscii) return name.toUpperCase();
	// Lower case first: `ẞ` has no upper case of its own, but `ß` has.
	const upper = name.normalize("NFKC").toLowerCase().toUpperCase();
	let visible = "";
	for (const character of upper)
		if (!isIgnored(character.codePointAt(0) ?? 0)) visible += character;
	return visible.normalize("NFKC");
}

function isIgnored(codePoint: number): boolean {
	return IGNORED.some(
		([first, last]) => codePoint >= first && codePoint <= last,
	);
}
