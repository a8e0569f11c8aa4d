using System.Diagnostics.CodeAnalysis;

namespace PoolApi.TestKit.Processes;

/// <summary>Programs and files that a test needs from the machine. If one is missing, the test is skipped with the command that installs it;
/// with CI=true it fails, so that no check is lost unnoticed.</summary>
public static class Tool
{
    /// <summary>True if no test may be skipped.</summary>
    public static bool InCi { get; } = string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>The path of a program in the PATH or in /usr/sbin, where servers are and which the PATH of a user may lack; or null.</summary>
    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Append("/usr/sbin")
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);

    /// <summary>The path of a program. If it is missing, the test ends.</summary>
    public static string Require(string program, string install)
    {
        string? path = Find(program);
        if (path is null)
            Missing(program, install);
        return path;
    }

    /// <summary>The path of a file. If it is missing, the test ends.</summary>
    public static string RequireFile(string path, string install)
    {
        if (!File.Exists(path))
            Missing(path, install);
        return path;
    }

    /// <summary>Ends the test: skipped, or failed under CI.</summary>
    [DoesNotReturn]
    public static void Missing(string what, string remedy)
    {
        string words = $"{what} is missing: {remedy}";
        if (InCi)
            Assert.Fail(words);
        Assert.Skip(words);
    }
}
