using System.Reflection;
using System.Runtime.Loader;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PoolApi.EndToEnd.Clients;

/// <summary>A generated client in C#, compiled together with a program that uses it as a user would.</summary>
internal static class MadeClient
{
    // Those symbols of the SDK for this framework that the generated code tests.
    private static readonly string[] Symbols = ["NETCOREAPP3_1_OR_GREATER", "NET5_0_OR_GREATER", "NET8_0_OR_GREATER"];

    /// <summary>Compiles the client and the program.</summary>
    /// <param name="program">The program: one of Clients/Programs.</param>
    /// <param name="files">The files of the client.</param>
    /// <returns>The program: it takes the service's address, an image and a future time, and returns JSON.</returns>
    public static Func<string, byte[], string, Task<string>> Compile(string program, params string[] files)
    {
        var options = CSharpParseOptions.Default.WithPreprocessorSymbols(Symbols);
        string[] sources = [Path.Combine(NodeTools.Folder, "Programs", program), .. files];
        var trees = sources.Select(file => CSharpSyntaxTree.ParseText(File.ReadAllText(file), options, file));
        var assemblies = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator);
        var compilation = CSharpCompilation.Create(
            Path.GetFileNameWithoutExtension(program), trees, assemblies.Select(file => MetadataReference.CreateFromFile(file)),
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));

        using var assembly = new MemoryStream();
        var result = compilation.Emit(assembly);
        Assert.True(result.Success, string.Join('\n', result.Diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)));
        assembly.Position = 0;
        var context = new AssemblyLoadContext(program, isCollectible: true);
        return context.LoadFromStream(assembly).GetType("ClientProgram", throwOnError: true)!
            .GetMethod("RunAsync", BindingFlags.Public | BindingFlags.Static)!
            .CreateDelegate<Func<string, byte[], string, Task<string>>>();
    }
}
