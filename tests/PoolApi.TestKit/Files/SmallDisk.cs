using System.Diagnostics;
using PoolApi.TestKit.Processes;

namespace PoolApi.TestKit.Files;

/// <summary>A disk in memory, so small that it can be filled. It is unmounted at the end.</summary>
/// <remarks>A user who may not mount skips the test; with CI=true it fails.</remarks>
public sealed class SmallDisk : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _fillers = [];
    private bool _isMounted;

    private SmallDisk() { }

    /// <summary>Where it is mounted.</summary>
    public string Path => _folder.Path;

    /// <summary>Mounts a disk.</summary>
    /// <param name="megabytes">Its size.</param>
    /// <param name="option">A further mount option.</param>
    public static async Task<SmallDisk> MountAsync(int megabytes, string? option = null)
    {
        var disk = new SmallDisk();
        string options = $"size={megabytes}m{(option is null ? "" : "," + option)}";
        ProgramRun run = await RunMountAsync("-t", "tmpfs", "-o", options, "tmpfs", disk.Path);
        disk._isMounted = run.ExitCode == 0;
        if (!disk._isMounted)
        {
            disk.Dispose();
            Tool.Missing("The right to mount a disk", "run as root; mount reports: " + run.Text);
        }

        return disk;
    }

    /// <summary>Allows no more writes.</summary>
    public async Task MakeReadOnlyAsync() => (await RunMountAsync("-o", "remount,ro", Path)).MustSucceed();

    /// <summary>Fills it to the last byte.</summary>
    public void Fill()
    {
        for (int size = 1 << 20; size > 0; size = size > 4096 ? size / 4 : 0)
        {
            for (bool fits = true; fits;)
            {
                string filler = System.IO.Path.Combine(Path, $"filler-{_fillers.Count}");
                _fillers.Add(filler);
                try
                {
                    File.WriteAllBytes(filler, new byte[size]);
                }
                catch (IOException)
                {
                    fits = false;
                }
            }
        }
    }

    /// <summary>Deletes the files that fill it.</summary>
    public void Empty() => _fillers.ForEach(File.Delete);

    /// <inheritdoc />
    public void Dispose()
    {
        if (_isMounted)
        {
            using var unmount = Process.Start("umount", ["--lazy", Path]);
            unmount.WaitForExit();
        }

        _folder.Dispose();
    }

    private static Task<ProgramRun> RunMountAsync(params string[] arguments) => ProgramRun.ToEndAsync(new ProcessStartInfo("mount", arguments), Patience.Long);
}
