// Compiles PayVault.sol and prints its ABI and its code as JSON. Usage: node compile.mjs
// The compiler is the npm package solc, pinned in tests/tron. Metadata is left out of the code, so that the same source
// gives the same bytes wherever it lies.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const NAME = "PayVault";
const solc = createRequire(new URL("../tests/tron/package.json", import.meta.url))("solc");
const source = readFileSync(new URL(`${NAME}.sol`, import.meta.url), "utf8");
const settings = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "paris",
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};
const output = JSON.parse(solc.compile(JSON.stringify({
  language: "Solidity", sources: { [`${NAME}.sol`]: { content: source } }, settings,
})));
if (output.errors?.length) {
  for (const error of output.errors) console.error(error.formattedMessage);
  process.exit(1);
}
const made = output.contracts[`${NAME}.sol`][NAME];
delete settings.outputSelection;
console.log(JSON.stringify({
  name: NAME,
  compiler: solc.version(),
  settings,
  abi: made.abi,
  bytecode: made.evm.bytecode.object,
  runtime: made.evm.deployedBytecode.object,
}));
