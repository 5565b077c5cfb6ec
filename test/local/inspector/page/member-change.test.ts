import { compareMembers } from "../../../../local/inspector/page/member-change";

test("each claim of either token says what became of it, the gateway's first", () => {
	const incoming = { iss: "idp", nonce: 1, sub: "alice", roles: ["a"] };
	const outgoing = { sub: "alice", iss: "gateway", roles: ["a"], jti: "1" };
	expect(compareMembers(incoming, outgoing)).toEqual([
		{ name: "sub", incoming: "alice", outgoing: "alice", change: "kept" },
		{ name: "iss", incoming: "idp", outgoing: "gateway", change: "changed" },
		{ name: "roles", incoming: ["a"], outgoing: ["a"], change: "kept" },
		{ name: "jti", outgoing: "1", change: "added" },
		{ name: "nonce", incoming: 1, change: "removed" },
	]);
});

test("a claim that is null is there, and one named as a property of every object is not", () => {
	expect(compareMembers({ a: null }, { a: false, constructor: 1 })).toEqual([
		{ name: "a", incoming: null, outgoing: false, change: "changed" },
		{ name: "constructor", outgoing: 1, change: "added" },
	]);
});
