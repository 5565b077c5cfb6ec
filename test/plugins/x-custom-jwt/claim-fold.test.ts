import fc from "fast-check";
import { fold } from "../../../plugins/x-custom-jwt/claim-fold";

describe("names have equal folds when a reader takes one for the other:", () => {
	test.each([
		["ASCII letters (cJSON)", "CLIENT_ID", "client_id"],
		["the long s (Go)", "iſſ", "iss"],
		["the Kelvin sign (Go)", "\u212Aid", "kid"],
		["the dotless ı (Turkish)", "ıss", "iss"],
		["İ (Turkish)", "İSS", "iss"],
		["I and a dot above it", "I\u0307SS", "iss"],
		["ß", "iß", "iss"],
		["the capital ẞ", "Iẞ", "iss"],
		["a ligature", "ﬁt", "fit"],
		["full-width letters", "ａｕｄ", "aud"],
		["mathematical letters", "𝐬𝐮𝐛", "sub"],
		["Greek sigma at the end", "ΟΔΟΣ", "οδος"],
		["accents composed and not", "ro\u0302le", "RÔLE"],
		["a zero-width space", "a\u200Bud", "aud"],
		["a soft hyphen", "a\u00ADud", "aud"],
		["a byte order mark", "\uFEFFaud", "aud"],
		["a variation selector", "aud\uFE0F", "aud"],
		["a tag character", "aud\u{E0041}", "aud"],
		["half a surrogate pair", "aud\uD800", "aud"],
		["an invisible character between letter and accent", "o\u034F\u0302", "ô"],
	])("%s", (_, one, other) => {
		expect(fold(one)).toBe(fold(other));
	});

	test("of one letter, as far as JavaScript's own case folding goes", () => {
		fc.assert(
			fc.property(fc.string({ unit: "grapheme" }), (name) => {
				const folded = fold(name);
				fc.pre(folded !== undefined);
				expect(fold(name.toUpperCase())).toBe(folded);
				expect(fold(name.toLowerCase())).toBe(folded);
			}),
		);
	});
});

test.each([
	["client_id", "clientId"],
	["sub", "sud"],
	["rôle", "role"],
	["a-b", "a_b"],
])("other names keep folds of their own: %s and %s", (one, other) => {
	expect(fold(one)).not.toBe(fold(other));
});

test.each(["aud\u0000x", "a\u0000ud", "aud\n", "\u007Faud", "aud\u0085"])(
	"a name with a control character has no fold: %j",
	(name) => {
		expect(fold(name)).toBeUndefined();
	},
);
