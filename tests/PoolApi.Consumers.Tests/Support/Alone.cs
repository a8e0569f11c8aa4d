using System.Reflection;
using System.Runtime.Loader;

namespace PoolApi.Consumers.Tests.Support;

/// <summary>Runs code in a load context of its own, as in another process: its statics are separate, so no other test has added a pool.</summary>
internal sealed class Alone : AssemblyLoadContext
{
    private static readonly string[] Own = [typeof(Alone).Assembly.GetName().Name!, typeof(RunOnPoolAttribute).Assembly.GetName().Name!];

    private Alone()
        : base(nameof(Alone))
    {
    }

    /// <param name="body">A static method and not a lambda: the loaded copy of the assembly finds it by its name.</param>
    public static Task RunAsync(Func<Task> body)
    {
        MethodInfo method = body.Method;
        Assembly tests = new Alone().LoadFromAssemblyName(typeof(Alone).Assembly.GetName());
        return tests.GetType(method.DeclaringType!.FullName!, throwOnError: true)!
            .GetMethod(method.Name, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)!
            .CreateDelegate<Func<Task>>()();
    }

    protected override Assembly? Load(AssemblyName assemblyName) =>
        Own.Contains(assemblyName.Name) ? LoadFromAssemblyPath(Path.Combine(AppContext.BaseDirectory, assemblyName.Name + ".dll")) : null;
}
