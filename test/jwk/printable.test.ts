import { printable } from "../../jwk/printable";

test("characters that hide or turn text become escapes, all others stay", () => {
	expect(printable("zoë 鍵\n\t<b>\u202Eevil\u0000\u200B\u2028\u{e0041}")).toBe(
		"zoë 鍵\n\t<b>\\u202eevil\\u0000\\u200b\\u2028\\udb40\\udc41",
	);
});
