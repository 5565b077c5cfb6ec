import { iso, timeInWords, when } from "../../jwk/time";

test.each([
	["exp", 1_000 + 1_797, "expires in 29 min 57 s"],
	["exp", 1_000 + 3_600, "expires in 1 h"],
	["exp", 1_000 - 90_061, "expired 1 d 1 h ago"],
	["exp", 1_000, "expired 0 s ago"],
	["exp", 1_000 + 366 * 86_400, "expires in 1 y 1 d"],
	["iat", 997.4, "issued 3 s ago"],
	["nbf", 1_005, "valid in 5 s"],
	["auth_time", 940, "authenticated 1 min ago"],
	["exp", "tomorrow", "not a time in seconds"],
	["exp", 1e300, "not a time in seconds"],
	["exp", null, "not a time in seconds"],
	["sub", 1_000, undefined],
])("%s %p in words", (name, value, words) => {
	expect(timeInWords(name, value, 1_000)).toBe(words);
});

test.each([
	[1_000 + 660, "in 11 min (1970-01-01T00:27:40Z)"],
	[1_000 - 7_200, "2 h ago (1969-12-31T22:16:40Z)"],
	[1e300, /^in .* \(beyond all calendars\)$/],
])("%d as a point in time", (time, words) => {
	expect(when(time, 1_000)).toMatch(words);
});

test("fractions of a second are left out", () => {
	expect(iso(59.9)).toBe("1970-01-01T00:00:59Z");
});
