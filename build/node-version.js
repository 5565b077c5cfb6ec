// Every entry point begins with this. An old Node.js has to read it, so it has no syntax that one does not know.
(() => {
	var found = process.versions.node.split(".").map(Number);
	if (found[0] > 20 || (found[0] === 20 && found[1] >= 19)) return;
	process.stderr.write(
		"x-custom-jwt needs Node.js 20.19 or later; " +
			process.execPath +
			" is " +
			process.version +
			"\n",
	);
	process.exit(2);
})();
