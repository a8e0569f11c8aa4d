// The part of Node.js that the program uses. @types/node would be one more package.
declare module "node:fs" {
  export function readFileSync(path: string): Uint8Array<ArrayBuffer>;
}
declare const process: { argv: string[] };
declare const Buffer: { from(bytes: ArrayBuffer): { toString(encoding: "base64"): string } };
