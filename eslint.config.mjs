import nodePlugin from 'eslint-plugin-n';
import tseslint from 'typescript-eslint';

const timeMessage = 'Time and randomness are passed in (src/platform/clock.ts), so that tests own them.';
const restrictedGlobals = ['setTimeout', 'setInterval', 'performance'].map((name) => ({ name, message: timeMessage }));
const restrictedProperties = [
  { object: 'Date', property: 'now', message: timeMessage },
  { object: 'Math', property: 'random', message: timeMessage },
  { object: 'process', property: 'hrtime', message: timeMessage },
];
const restrictedImports = [
  { name: 'node:timers/promises', message: timeMessage },
  { name: 'node:timers', message: timeMessage },
  { name: 'node:perf_hooks', message: timeMessage },
];

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'coverage/**', 'var/**'] },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [...tseslint.configs.strictTypeChecked],
    plugins: { n: nodePlugin },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'n/no-unsupported-features/node-builtins': [
        'error',
        {
          version: '>=20.19.0',
          ignores: ['fs.promises.statfs', 'import.meta.dirname', 'import.meta.filename', 'zlib.crc32', 'fs.cpSync'],
        },
      ],
      'n/no-unsupported-features/es-builtins': ['error', { version: '>=20.19.0' }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
        { selector: 'TSEnumDeclaration', message: 'Unions instead of enums.' },
      ],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['drivers/**/*.ts', 'src/**/*.ts', 'src/**/*.tsx'],
    rules: {
      'no-restricted-globals': ['error', ...restrictedGlobals],
      'no-restricted-properties': ['error', ...restrictedProperties],
      'no-restricted-imports': ['error', { paths: restrictedImports }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
        { selector: 'TSEnumDeclaration', message: 'Unions instead of enums.' },
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: timeMessage },
        { selector: 'Program > VariableDeclaration[kind="let"]', message: 'No module-level mutable state.' },
      ],
    },
  },
  {
    // Where time and randomness come from: on a Raspberry Pi, and in a browser.
    files: ['src/platform/clock.ts', 'src/dashboard/platform.ts'],
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-imports': 'off',
      'no-restricted-syntax': 'off',
    },
  },
  {
    // Runs in browsers, whose globals are not those of Node.js.
    files: ['src/dashboard/**', 'test/browser/**', 'test/unit/dashboard/**'],
    rules: { 'n/no-unsupported-features/node-builtins': 'off', 'n/no-unsupported-features/es-builtins': 'off' },
  },
  {
    files: ['vitest*.config.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'max-lines': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
