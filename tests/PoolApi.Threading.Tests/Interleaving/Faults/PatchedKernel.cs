using System.Reflection;
using System.Runtime.Loader;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PoolApi.Threading.Tests.Interleaving.Faults;

/// <summary>A change of the kernel's source.</summary>
/// <param name="File">The name of the file.</param>
/// <param name="Point">The name of the fault point: the comment that ends the line to change.</param>
/// <param name="Line">The code that replaces the line; empty: the line is removed.</param>
internal sealed record Patch(string File, string Point, string Line)
{
    /// <exception cref="InvalidOperationException">The fault point is missing, or occurs twice.</exception>
    public string Apply(string source)
    {
        string mark = $" // fault point: {Point}\n";
        int end = source.IndexOf(mark, StringComparison.Ordinal);
        if (end < 0 || source.IndexOf(mark, end + 1, StringComparison.Ordinal) >= 0) throw new InvalidOperationException($"{File} does not have the fault point {Point} once.");
        int start = source.LastIndexOf('\n', end) + 1;
        return string.Concat(source.AsSpan(0, start), Line, source.AsSpan(end + mark.Length - 1));
    }
}

/// <summary>
/// The source of the kernel and of the explorer, compiled with a fault planted in it. It is no copy of the kernel that could
/// diverge: a patch whose fault point is missing fails.
/// </summary>
internal static class PatchedKernel
{
    private const string Prefix = "kernel/";

    // In the namespace PoolApi.Threading this class hides System.Threading.Volatile, so that these accesses are steps too.
    private const string VolatileSteps = """
        namespace PoolApi.Threading;

        internal static class Volatile
        {
            public static int Read(ref int place) { Spot(); return System.Threading.Volatile.Read(ref place); }
            public static bool Read(ref bool place) { Spot(); return System.Threading.Volatile.Read(ref place); }
            public static long Read(ref long place) { Spot(); return System.Threading.Volatile.Read(ref place); }
            public static T Read<T>(ref T place) where T : class? { Spot(); return System.Threading.Volatile.Read(ref place); }
            public static void Write(ref int place, int value) { Spot(); System.Threading.Volatile.Write(ref place, value); }
            public static void Write(ref bool place, bool value) { Spot(); System.Threading.Volatile.Write(ref place, value); }
            public static void Write(ref long place, long value) { Spot(); System.Threading.Volatile.Write(ref place, value); }
            public static void Write<T>(ref T place, T value) where T : class? { Spot(); System.Threading.Volatile.Write(ref place, value); }
            public static void ReadBarrier() { }
            public static void WriteBarrier() { }
            private static void Spot() => PoolApi.Threading.Tests.Interleaving.ScheduledOps.Spot();
        }
        """;

    private const string GlobalUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    private static readonly CSharpParseOptions Parsing = new(LanguageVersion.Latest, DocumentationMode.None);

    // All patches share the unpatched source, which is read and parsed once.
    private static readonly Lazy<(CSharpCompilation Compilation, IReadOnlyDictionary<string, string> Sources)> Unpatched = new(static () =>
    {
        IEnumerable<MetadataReference> references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Where(static path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal))
            .Select(static path => MetadataReference.CreateFromFile(path));
        Dictionary<string, string> sources = Sources();
        var compilation = CSharpCompilation.Create(
            "PatchedKernel",
            sources.Append(new("Volatile.cs", VolatileSteps)).Append(new("GlobalUsings.cs", GlobalUsings)).Select(static s => Parse(s.Key, s.Value)),
            references,
            new CSharpCompilationOptions(
                OutputKind.DynamicallyLinkedLibrary,
                optimizationLevel: OptimizationLevel.Release,
                allowUnsafe: true,
                nullableContextOptions: NullableContextOptions.Annotations)); // the build has checked the flow of nulls
        return (compilation, sources);
    });

    /// <summary>Compiles the patched sources, and explores until a schedule fails or the given number of schedules of each scenario has run.</summary>
    /// <param name="patches">The patches.</param>
    /// <param name="seed">The base seed, from which the seeds of the schedules follow.</param>
    /// <param name="schedules">The number of schedules of each scenario.</param>
    /// <param name="scenario">The only scenario to explore; <see langword="null"/>: all of them.</param>
    public static (string? Failure, long Schedules) Explore(IEnumerable<Patch> patches, ulong seed, long schedules, string? scenario = null)
    {
        using MemoryStream image = Compile(patches);
        // The assembly stays loaded until the process ends. The runtime compiles an assembly that can be unloaded with all optimizations at
        // once, which takes longer than most explorations.
        var context = new AssemblyLoadContext("patched kernel");
        MethodInfo find = context.LoadFromStream(image).GetType(typeof(Exploration).FullName!, throwOnError: true)!
            .GetMethod(nameof(Exploration.Find), BindingFlags.Public | BindingFlags.Static)!;
        object?[] arguments = [seed, schedules, scenario, 0L];
        var failure = (string?)find.Invoke(null, arguments);
        return (failure, (long)arguments[3]!);
    }

    private static MemoryStream Compile(IEnumerable<Patch> patches)
    {
        (CSharpCompilation compilation, IReadOnlyDictionary<string, string> unpatched) = Unpatched.Value;
        var sources = new Dictionary<string, string>(unpatched);
        foreach (Patch patch in patches)
        {
            sources[patch.File] = patch.Apply(sources[patch.File]);
        }
        foreach (SyntaxTree tree in compilation.SyntaxTrees)
        {
            if (sources.TryGetValue(tree.FilePath, out string? source) && !ReferenceEquals(source, unpatched[tree.FilePath]))
                compilation = compilation.ReplaceSyntaxTree(tree, Parse(tree.FilePath, source));
        }
        var image = new MemoryStream();
        var result = compilation.Emit(image);
        if (!result.Success)
        {
            string errors = string.Join(Environment.NewLine, result.Diagnostics.Where(static d => d.Severity == DiagnosticSeverity.Error));
            throw new InvalidOperationException(errors);
        }
        image.Position = 0;
        return image;
    }

    private static SyntaxTree Parse(string file, string source) => CSharpSyntaxTree.ParseText(source, Parsing, file);

    private static Dictionary<string, string> Sources()
    {
        var sources = new Dictionary<string, string>();
        Assembly assembly = typeof(PatchedKernel).Assembly;
        foreach (string name in assembly.GetManifestResourceNames().Where(static n => n.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            using Stream stream = assembly.GetManifestResourceStream(name)!;
            using var reader = new StreamReader(stream, Encoding.UTF8);
            sources.Add(name[Prefix.Length..], reader.ReadToEnd());
        }
        return sources;
    }
}
