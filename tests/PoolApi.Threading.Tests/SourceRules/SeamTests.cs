using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PoolApi.Threading.Tests.SourceRules;

/// <summary>The explorer of interleavings sees only steps of the atomics seam, so the code that it explores uses no other atomic steps.</summary>
public sealed class SeamTests
{
    private static readonly string Core = Path.Combine(Repository.Root, "src", "PoolApi.Threading", "Core");

    // The reads of an item's state, and its steps without rivals. Code outside of the seam reads the state too. Where a fault is planted, these are
    // steps of the explorer nevertheless (PatchedKernel).
    private static readonly string[] Exceptions = ["PoolWorkItem.State.cs: Volatile", "PoolWorkItem.State.cs: Volatile"];

    [Theory]
    [InlineData("Queue")]
    [InlineData("Stopping")]
    public void Each_atomic_step_goes_through_the_seam(string folder)
    {
        string[] files = Directory.GetFiles(Path.Combine(Core, folder), "*.cs");
        Assert.NotEmpty(files);
        Assert.Equal(
            folder == "Queue" ? Exceptions : [],
            files.Order(StringComparer.Ordinal)
                .SelectMany(static file => StepsBeside(File.ReadAllText(file)).Select(step => $"{Path.GetFileName(file)}: {step}")));
    }

    [Theory]
    [InlineData("class C { volatile bool _mark; }", "volatile")]
    [InlineData("class C { int Get() => Volatile.Read(ref _word); }", "Volatile")]
    [InlineData("class C { void Set() => System.Threading.Interlocked.MemoryBarrier(); }", "Interlocked")]
    [InlineData("class C { void Set() => Thread.MemoryBarrier(); }", "MemoryBarrier")]
    public void An_atomic_step_that_bypasses_the_seam_is_found(string source, string step) => Assert.Equal([step], StepsBeside(source));

    private static IEnumerable<string> StepsBeside(string source) =>
        CSharpSyntaxTree.ParseText(source, new CSharpParseOptions(LanguageVersion.Latest)).GetRoot().DescendantTokens()
            .Where(static token => token.IsKind(SyntaxKind.VolatileKeyword)
                || (token.IsKind(SyntaxKind.IdentifierToken) && token.Text is "Volatile" or "Interlocked" or "ImmutableInterlocked")
                || (token.Text == "MemoryBarrier" && token.GetPreviousToken().GetPreviousToken().Text == "Thread"))
            .Select(static token => token.Text);
}
