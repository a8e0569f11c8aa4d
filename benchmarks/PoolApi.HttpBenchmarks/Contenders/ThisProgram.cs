using System.Diagnostics;

namespace PoolApi.HttpBenchmarks.Contenders;

/// <summary>A second process of this program, as the server that the service is compared with.</summary>
internal static class ThisProgram
{
    /// <summary>How to start it, with the garbage collector of a web project by default. The benchmark itself uses a smaller one.</summary>
    /// <param name="args">Its command line.</param>
    public static ProcessStartInfo With(params IEnumerable<string> args)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!);
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]); // the .dll
        foreach (string word in args) start.ArgumentList.Add(word);
        start.Environment["DOTNET_gcServer"] = "1";
        start.Environment["DOTNET_gcConcurrent"] = "1";
        return start;
    }
}
