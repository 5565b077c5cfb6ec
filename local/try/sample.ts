/** Examples of what Kong's regular expressions match: a path for a route's, a value for a header's. */

/**
 * A text that a regular expression (RE2) matches, as far as its syntax is plain: literals, classes, groups, alternatives
 * and repetitions.
 *
 * @returns nothing when there is more in it; what is returned may still not match, so try it
 */
export function sampleOf(expression: string): string | undefined {
	const reader = { text: expression, at: 0 };
	const sample = alternatives(reader);
	return reader.at === expression.length ? sample : undefined;
}

interface Reader {
	text: string;
	at: number;
}

function peek({ text, at }: Reader): string {
	return text.charAt(at);
}

function take(reader: Reader, pattern: RegExp): RegExpExecArray | undefined {
	const sticky = new RegExp(pattern, "y");
	sticky.lastIndex = reader.at;
	const found = sticky.exec(reader.text);
	if (!found) return undefined;
	reader.at = sticky.lastIndex;
	return found;
}

/** The first alternative; the others are read and dropped. */
function alternatives(reader: Reader): string | undefined {
	const first = sequence(reader);
	while (first !== undefined && take(reader, /\|/))
		if (sequence(reader) === undefined) return undefined;
	return first;
}

function sequence(reader: Reader): string | undefined {
	let sample = "";
	while (reader.at < reader.text.length && !/[|)]/.test(peek(reader))) {
		const one = atom(reader);
		if (one === undefined) return undefined;
		sample += one.repeat(repetitions(reader));
	}
	return sample;
}

/** How often the atom before is repeated: as seldom as possible. */
function repetitions(reader: Reader): number {
	const found = take(reader, /(?:([*?])|\+|\{(\d+)(?:,\d*)?\})[?+]?/);
	if (!found) return 1;
	const [, none, count] = found;
	return none ? 0 : Number(count ?? 1);
}

const CLASSES: Record<string, string> = { d: "1", w: "x", s: " ", S: "x" };

function atom(reader: Reader): string | undefined {
	if (take(reader, /\[/)) return oneOfClass(reader);
	if (take(reader, /\((?:\?(?:P?<\w+>|:))?/)) {
		const sample = alternatives(reader);
		return take(reader, /\)/) ? sample : undefined;
	}
	if (take(reader, /[\^$]|\\[bBzA]/)) return "";
	if (take(reader, /\./)) return "x";
	const escaped = take(reader, /\\(.)/);
	if (escaped) {
		const [, name = ""] = escaped;
		return CLASSES[name] ?? (/[a-zA-Z0-9]/.test(name) ? undefined : name);
	}
	return take(reader, /[^\\()[\]{}*+?|]/)?.[0];
}

function oneOfClass(reader: Reader): string | undefined {
	const found = take(reader, /(\^?)(\]?(?:\\.|[^\]\\])*)\]/);
	if (!found) return undefined;
	const [, negated, members = ""] = found;
	if (!negated) {
		const [, escaped, plain] = /^(?:\\(.)|(.))/.exec(members) ?? [];
		return escaped ? (CLASSES[escaped] ?? escaped) : plain;
	}
	return ["x", "1", "-", "A"].find((one) => !members.includes(one));
}
