namespace PoolApi.EndToEnd.Harness;

/// <summary>The two forms in which the service is shipped. What holds for one must hold for the other.</summary>
public enum ServiceForm
{
    /// <summary>PoolApi.dll, run by `dotnet`.</summary>
    FrameworkDependent,

    /// <summary>The Native AOT binary of the container.</summary>
    NativeAot,
}

/// <summary>The form for a test that says nothing of the form.</summary>
internal static class AnyServiceForm
{
    extension(ServiceForm)
    {
        /// <summary>Native AOT where it can be made: it starts with a fifth of the processor time. PoolApi.dll elsewhere.</summary>
        public static ServiceForm Any => AotPublication.IsPossible ? ServiceForm.NativeAot : ServiceForm.FrameworkDependent;
    }
}
