namespace PoolApi.HttpBenchmarks.Contenders;

internal static class InstalledPrograms
{
    /// <returns>Where a program is; <see langword="null"/> if it is not installed.</returns>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);
}
