import { printable, printableLine } from "../../jwk/printable";

test("characters that hide or turn text become escapes, all others stay", () => {
	expect(printable("zoë 鍵\n\t<b>\u202Eevil\u0000\u200B\u2028\u{e0041}")).toBe(
		"zoë 鍵\n\t<b>\\u202eevil\\u0000\\u200b\\u2028\\udb40\\udc41",
	);
});

test("a line stays one line, whatever stands in it", () => {
	expect(printableLine("a\n::error::b\tc\r\u2029\u3164")).toBe(
		"a\\u000a::error::b\\u0009c\\u000d\\u2029\\u3164",
	);
});

test("JSON means the same after its characters were escaped", () => {
	const value = {
		"na\u202Eme": "\u0000\u009b31m\u{e0041}\u2028é",
		list: ["\n"],
	};
	const written = printable(JSON.stringify(value, null, 2));
	expect(written).not.toMatch(/[\u202e\u009b\u2028]/);
	expect(JSON.parse(written)).toEqual(value);
});
