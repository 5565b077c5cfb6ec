import { inPieces } from "../../../../local/inspector/page/pieces";

test.each([
	["clientId", ["clientId"]],
	["/basicAuth/orders", ["/basicAuth", "/orders"]],
	["contact@konghq.com-ID1", ["contact", "@konghq.com-ID1"]],
	["", [""]],
	['"http://httpbin:9000/idp"', ['"http://httpbin:9000', '/idp"']],
	[
		'{"act":{"sub":"a"},"n":[1,2]}',
		['{"act":', '{"sub":', '"a"},', '"n":', "[1,", "2]}"],
	],
])("%s breaks between its parts only", (text, pieces) => {
	expect(inPieces(text)).toEqual(
		pieces.map((piece) => ({ text: piece, isWhole: true })),
	);
});

test("a part that is too long for a phone may be broken", () => {
	expect(inPieces(`/${"x".repeat(24)}/y`)).toEqual([
		{ text: `/${"x".repeat(24)}`, isWhole: false },
		{ text: "/y", isWhole: true },
	]);
});
