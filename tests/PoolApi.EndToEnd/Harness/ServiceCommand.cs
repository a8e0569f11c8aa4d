using System.Diagnostics;

namespace PoolApi.EndToEnd.Harness;

/// <summary>How to start the service in one of its forms, in an environment that holds nothing of the tester's own settings.</summary>
internal static class ServiceCommand
{
    private static readonly string[] SettingPrefixes =
    [
        "ASPNETCORE_", "DOTNET_ENVIRONMENT", "DOTNET_URLS", "URLS", "POOL__", "SHUTDOWN__", "MANAGEMENT__", "WORKLOADS__", "JOBS__",
        "AUTH__", "CORS__", "LOGGING__", "KESTREL__", "OTEL_", "PATHBASE", "FORWARDEDHEADERS__",
    ];

    /// <summary>The start of the service. A setting is written as on a command line: "--Pool:Workers 2".</summary>
    public static async Task<ProcessStartInfo> CreateAsync(
        ServiceForm form, string workingDirectory, IEnumerable<string> settings, IReadOnlyDictionary<string, string>? environment = null,
        params string[] wrapper)
    {
        var start = form == ServiceForm.NativeAot
            ? new ProcessStartInfo(await AotPublication.BinaryAsync())
            : new ProcessStartInfo(Repository.DotNet, ["exec", Repository.ServiceAssembly]);
        if (wrapper is [var first, .. var rest])
        {
            foreach (string part in rest.Append(start.FileName).Reverse())
                start.ArgumentList.Insert(0, part);
            start.FileName = first;
        }
        // Elsewhere than the program: its files must be found beside it, not where it was started.
        start.WorkingDirectory = workingDirectory;
        foreach (string setting in settings)
        {
            foreach (string part in setting.Split(' ', 2))
                start.ArgumentList.Add(part);
        }

        foreach (string name in start.Environment.Keys.Where(IsSetting).ToArray())
            start.Environment.Remove(name);
        // It lives for seconds: to compile by profile costs it a fifth more processor time, and gains nothing.
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        return start;
    }

    private static bool IsSetting(string name) =>
        Array.Exists(SettingPrefixes, prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));
}
