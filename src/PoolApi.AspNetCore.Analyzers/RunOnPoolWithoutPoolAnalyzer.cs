using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;

namespace PoolApi.AspNetCore.Analyzers;

/// <summary>
/// POOLAPI001: an app has the attribute <c>[RunOnPool]</c>, and no call of <c>AddFixedThreadPool</c>. On a minimal API's handler that is no error at run
/// time, because no code of the library runs in an app without a pool.
/// </summary>
/// <remarks>
/// A library is not checked: its app adds the pool. Nor is an app that references an assembly which uses <c>PoolApi.AspNetCore</c>, because that assembly
/// can add the pool.
/// </remarks>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class RunOnPoolWithoutPoolAnalyzer : DiagnosticAnalyzer
{
    private const string Library = "PoolApi.AspNetCore";

    private static readonly DiagnosticDescriptor Rule = new(
        "POOLAPI001", "[RunOnPool] needs a pool", "The app adds no pool, so [RunOnPool] runs nothing on one: call services.AddFixedThreadPool({0})", "Usage",
        DiagnosticSeverity.Warning, isEnabledByDefault: true,
        "In an app without a pool the attribute on a minimal API's handler has no effect. On a controller it fails the start, and on a Razor Page each request.",
        helpLinkUri: null, WellKnownDiagnosticTags.CompilationEnd);

    /// <inheritdoc />
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rule];

    /// <inheritdoc />
    public override void Initialize(AnalysisContext context)
    {
        // Generated code is searched for the call, and no attribute in it is reported.
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.Analyze);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (start.Compilation.Options.OutputKind is not (OutputKind.ConsoleApplication or OutputKind.WindowsApplication)) return;
            if (start.Compilation.GetTypeByMetadataName($"{Library}.RunOnPoolAttribute") is not { } attribute) return;
            if (start.Compilation.SourceModule.ReferencedAssemblySymbols.Any(CanAddPool)) return;

            var app = new App(attribute);
            start.RegisterSyntaxNodeAction(app.VisitName, SyntaxKind.IdentifierName);
            start.RegisterSyntaxNodeAction(app.VisitAttribute, SyntaxKind.Attribute);
            start.RegisterCompilationEndAction(app.Report);
        });
    }

    private static bool CanAddPool(IAssemblySymbol assembly) =>
        // These two packages use the library, and add no pool.
        assembly.Name is not ("PoolApi.Dashboard" or "PoolApi.Jobs.AspNetCore")
        && assembly.Modules.Any(static module => module.ReferencedAssemblies.Any(static used => used.Name == Library));

    /// <summary>The attributes of one compilation, and whether it adds a pool. A name is compared before it is bound, since binding is what costs time.</summary>
    private sealed class App(INamedTypeSymbol attribute)
    {
        private readonly ConcurrentQueue<Diagnostic> _attributes = new();
        private volatile bool _addsPool;

        public void VisitName(SyntaxNodeAnalysisContext context)
        {
            if (_addsPool || ((IdentifierNameSyntax)context.Node).Identifier.ValueText != "AddFixedThreadPool" || IsOnlyNamed(context.Node)) return;
            // A call that does not compile has candidates only. It counts too, so that its error does not come with this warning.
            SymbolInfo called = context.SemanticModel.GetSymbolInfo(context.Node, context.CancellationToken);
            if (IsOfLibrary(called.Symbol ?? called.CandidateSymbols.FirstOrDefault())) _addsPool = true;
        }

        /// <summary>Whether a comment or nameof has the name.</summary>
        private static bool IsOnlyNamed(SyntaxNode name) => name.IsPartOfStructuredTrivia()
            || name.Ancestors().OfType<InvocationExpressionSyntax>().Any(static call => call.Expression is IdentifierNameSyntax { Identifier.ValueText: "nameof" });

        public void VisitAttribute(SyntaxNodeAnalysisContext context)
        {
            var use = (AttributeSyntax)context.Node;
            if (_addsPool || use.Name.GetLastToken().ValueText is not ("RunOnPool" or "RunOnPoolAttribute")) return;
            ISymbol? constructor = context.SemanticModel.GetSymbolInfo(use, context.CancellationToken).Symbol;
            if (!SymbolEqualityComparer.Default.Equals(constructor?.ContainingType, attribute)) return;
            _attributes.Enqueue(Diagnostic.Create(Rule, use.GetLocation(), PoolOf(use, context)));
        }

        public void Report(CompilationAnalysisContext context)
        {
            if (_addsPool) return;
            foreach (Diagnostic use in _attributes) context.ReportDiagnostic(use);
        }

        private bool IsOfLibrary(ISymbol? symbol) => SymbolEqualityComparer.Default.Equals(symbol?.ContainingAssembly, attribute.ContainingAssembly);

        /// <summary>The name of the pool as a C# literal; empty if the attribute names none.</summary>
        private static string PoolOf(AttributeSyntax use, SyntaxNodeAnalysisContext context) =>
            use.ArgumentList?.Arguments.FirstOrDefault() is { NameEquals: null } pool
            && context.SemanticModel.GetConstantValue(pool.Expression, context.CancellationToken).Value is string name
                ? SymbolDisplay.FormatLiteral(name, quote: true)
                : "";
    }
}
