using System.Text;

namespace PoolApi.HttpBenchmarks.Contenders;

/// <summary>The small apps of servers in other languages and the scripts of wrk, for as long as this program runs.</summary>
internal static class ScriptFolder
{
    private static string? s_folder;

    /// <returns>The path of the file.</returns>
    public static string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    /// <inheritdoc cref="Write(string, string)"/>
    public static string Write(string name, ReadOnlySpan<byte> content)
    {
        s_folder ??= Directory.CreateTempSubdirectory("poolapi-http-").FullName;
        string path = Path.Combine(s_folder, name);
        File.WriteAllBytes(path, content);
        return path;
    }

    public static void Delete()
    {
        if (s_folder is not null) Directory.Delete(s_folder, recursive: true);
        s_folder = null;
    }
}
