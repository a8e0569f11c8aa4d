namespace PoolApi.EndToEnd.Harness;

/// <summary>The two forms in which the service is shipped. What holds for one must hold for the other.</summary>
public enum ServiceForm
{
    /// <summary>PoolApi.dll, run by `dotnet`.</summary>
    FrameworkDependent,

    /// <summary>The Native AOT binary of the container.</summary>
    NativeAot,
}
