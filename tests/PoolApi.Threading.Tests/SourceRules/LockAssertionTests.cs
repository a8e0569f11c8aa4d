using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PoolApi.Threading.Tests.SourceRules;

/// <summary>A member whose name ends in Locked is called under a lock, and asserts it: the debug build fails at a call without the lock.</summary>
public sealed class LockAssertionTests
{
    private static readonly string Source = Path.Combine(Repository.Root, "src");

    [Fact]
    public void Each_member_that_is_called_under_a_lock_first_asserts_that_the_lock_is_held()
    {
        (string Where, SyntaxNode Body)[] bodies =
        [
            .. Directory.EnumerateFiles(Source, "*.cs", SearchOption.AllDirectories)
                .Where(static file => !file.Split(Path.DirectorySeparatorChar).Any(static part => part is "bin" or "obj"))
                .SelectMany(static file => Bodies(File.ReadAllText(file)).Select(body => ($"{Path.GetRelativePath(Source, file)}: {body.Member}", body.Body))),
        ];

        Assert.True(bodies.Length > 50, $"{bodies.Length} found");
        Assert.Empty(bodies.Where(static body => !AssertsFirst(body.Body)).Select(static body => body.Where));
    }

    [Theory]
    [InlineData(true, "void AddLocked() { AssertLocked(); _count++; }")]
    [InlineData(true, "void AddLocked() { core.Queue.AssertLocked(); _count++; }")]
    [InlineData(true, "void AddLocked() { Debug.Assert(Monitor.IsEntered(this)); _count++; }")]
    [InlineData(true, "void AddLocked() { Debug.Assert(_lock.IsHeldByCurrentThread); _count++; }")]
    [InlineData(true, "void AddLocked() { void Inner() { } AssertLocked(); Inner(); }")]
    [InlineData(true, "int CountLocked { get { AssertLocked(); return _count; } }")]
    [InlineData(true, "int CountLocked => items.CountLocked();")]
    [InlineData(true, "virtual void AddLocked() { }")]
    [InlineData(false, "void AddLocked() { _count++; AssertLocked(); }")]
    [InlineData(false, "void AddLocked() { Debug.Assert(_count > 0); _count++; }")]
    [InlineData(false, "void AddLocked() => _count++;")]
    [InlineData(false, "int CountLocked => _count;")]
    [InlineData(false, "int CountLocked { get => _count; }")]
    [InlineData(false, "void Add() { AddLocked(); void AddLocked() { _count++; } }")]
    public void An_assertion_that_is_missing_or_late_is_found(bool asserts, string member) =>
        Assert.Equal(asserts, Assert.Single(Bodies($"class C {{ {member} }}")) is var (_, body) && AssertsFirst(body));

    /// <summary>The bodies of the members whose names end in Locked: none of an abstract member, and one for each accessor of a property.</summary>
    private static IEnumerable<(string Member, SyntaxNode Body)> Bodies(string source)
    {
        foreach (SyntaxNode node in CSharpSyntaxTree.ParseText(source, new CSharpParseOptions(LanguageVersion.Latest)).GetRoot().DescendantNodes())
        {
            (string name, SyntaxNode?[] bodies) = MemberOf(node);
            if (!name.EndsWith("Locked", StringComparison.Ordinal)) continue;
            foreach (SyntaxNode? body in bodies)
            {
                if (body is not null) yield return (name, body);
            }
        }
    }

    private static (string Name, SyntaxNode?[] Bodies) MemberOf(SyntaxNode node) => node switch
    {
        MethodDeclarationSyntax method => (method.Identifier.Text, [method.Body, method.ExpressionBody]),
        LocalFunctionStatementSyntax local => (local.Identifier.Text, [local.Body, local.ExpressionBody]),
        PropertyDeclarationSyntax property => (property.Identifier.Text, [property.ExpressionBody, .. AccessorsOf(property)]),
        _ => ("", []),
    };

    private static IEnumerable<SyntaxNode?> AccessorsOf(PropertyDeclarationSyntax property) =>
        property.AccessorList?.Accessors.SelectMany(static accessor => new SyntaxNode?[] { accessor.Body, accessor.ExpressionBody }) ?? [];

    private static bool AssertsFirst(SyntaxNode body) => body switch
    {
        BlockSyntax block => block.Statements.FirstOrDefault(static s => s is not LocalFunctionStatementSyntax) switch
        {
            null => true, // an empty body needs no lock
            ExpressionStatementSyntax { Expression: InvocationExpressionSyntax call } => IsAssertion(call),
            _ => false,
        },
        // It only calls a member that asserts the lock.
        ArrowExpressionClauseSyntax { Expression: InvocationExpressionSyntax call } => NameOf(call).EndsWith("Locked", StringComparison.Ordinal),
        _ => false,
    };

    private static bool IsAssertion(InvocationExpressionSyntax call) =>
        NameOf(call) == "AssertLocked"
        || (call.Expression.ToString() == "Debug.Assert"
            && call.ArgumentList.Arguments[0].ToString() is var asserted
            && (asserted.StartsWith("Monitor.IsEntered(", StringComparison.Ordinal)
                || asserted.EndsWith(".IsHeldByCurrentThread", StringComparison.Ordinal)
                || asserted == "_enteredBy == Environment.CurrentManagedThreadId")); // AssertLocked itself

    private static string NameOf(InvocationExpressionSyntax call) => call.Expression switch
    {
        MemberAccessExpressionSyntax access => access.Name.Identifier.Text,
        SimpleNameSyntax name => name.Identifier.Text,
        _ => "",
    };
}
